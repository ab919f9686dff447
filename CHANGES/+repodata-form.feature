Added the field ``repodata_form`` to remotes (``auto``, ``shards`` or ``flat``), and let syncs read the flat form of an upstream, with a warning, where its shards cannot be used.
