Added conditional requests and ranges for every file of a channel: tags are made from the bytes, and a client that knows only a date sees a rollback.
