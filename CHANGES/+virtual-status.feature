Show in the status of a virtual channel when the oldest of its mirrors was synced.
