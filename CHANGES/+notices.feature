Added ``notices`` to distributions, which clients show to the users of a channel, served as ``notices.json``.
