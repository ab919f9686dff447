Passwords that were right are not hashed again for a minute, which cost a third of a second of CPU for each request.
