Let a request to a virtual channel sync those of its channels whose metadata is older than their ``max_age``. The header ``Age`` is that of the oldest of them.
