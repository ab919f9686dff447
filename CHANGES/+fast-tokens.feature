Made the content app answer requests for private channels, with a token or a password, about as fast as those for public ones.
