Added promotion and rollback of channels: a distribution is pointed at another publication in one request, and dated checkpoints stay reachable.
