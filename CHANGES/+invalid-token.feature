Answers with the status 401 to a wrong token have ``error="invalid_token"`` in ``WWW-Authenticate``, as RFC 6750 says.
