Limited the time for which a client waits until the upstream of a package on demand begins to answer to 30 seconds, if the remote has no timeouts of its own: then the answer is 503.
