Added ``indexed_timestamp`` to published records: the time when a channel got a file. It is set once and never changed.
