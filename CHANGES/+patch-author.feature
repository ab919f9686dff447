Added ``credit`` to patches, whom else to thank or ask. The ``author`` is now always the user who made the patch, and a request cannot give another one.
