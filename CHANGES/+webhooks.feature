Added webhooks to lifecycles, signed, retried and with their deliveries listed, and announcements of moves in the ``notices.json`` of stages.
