Acts name the token with which a user uploaded or promoted, and can be filtered by it: ``conda/acts/?token=`` and ``pulp conda act list --token``.
