Added publications with ``repodata.json`` and ``repodata.json.zst``, written by request or, with ``autopublish``, for every new version.
