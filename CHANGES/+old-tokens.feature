Tokens that expired or were revoked more than ``CONDA_TOKEN_RETENTION_DAYS`` days ago, by default 90, are deleted when the next token is created.
