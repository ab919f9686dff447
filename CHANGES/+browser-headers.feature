Added headers by which browsers distrust pages and errors of channels: ``Content-Security-Policy``, ``X-Content-Type-Options`` and ``Referrer-Policy``.
