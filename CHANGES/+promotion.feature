Added promotion and rollback of channels: one request lets a distribution serve another publication, and dated checkpoints stay available.
