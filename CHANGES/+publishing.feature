Added publications with ``repodata.json`` and ``repodata.json.zst``, written on request or, with ``autopublish``, for every new version.
