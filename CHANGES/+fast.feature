Made the content app answer requests for packages, shards and metadata of channels without a content guard about twenty times faster. ``CONDA_FAST_ANSWERS = False`` turns this off.
