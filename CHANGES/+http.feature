Added conditional requests and ranges for every file of a channel: entity tags are made from the bytes, and a client that only sends a date also gets the files after a rollback.
