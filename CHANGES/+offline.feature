Added the setting ``CONDA_OFFLINE``, with which the server asks no upstream, and serves what it has.
