Added ``indexed_timestamp`` to published records: the moment since when a channel has a file, set once and never changed.
