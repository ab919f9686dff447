Slowed down wrong passwords and wrong tokens for each address and user: after ten, the answer is 429 with ``Retry-After`` (``CONDA_FAILED_LOGINS``, ``CONDA_TRUSTED_PROXIES``).
