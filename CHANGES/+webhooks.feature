Added webhooks to lifecycles, which are signed and sent again after failures, a list of their deliveries, and announcements of moves in the ``notices.json`` of stages.
