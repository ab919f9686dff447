Added OpenTelemetry metrics of channels, stages, tokens and blocked requests, and example alert rules in ``deploy/alerts.yml``.
