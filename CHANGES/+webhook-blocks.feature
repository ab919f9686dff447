Webhooks and the notices of stages tell that packages were blocked, and that a block was lifted (the events `blocked` and `unblocked`).
