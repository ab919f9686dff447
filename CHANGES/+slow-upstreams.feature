Downloads have no total timeout unless the remote's ``total_timeout`` is set, go on with a range request where they broke off, and wait for ``Retry-After`` up to five minutes.
