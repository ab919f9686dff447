"""What the workers do. Task arguments are plain JSON values; a task that runs twice leaves what it left once."""
