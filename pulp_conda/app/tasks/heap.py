"""Python's search for garbage, kept away from what is not garbage."""

import gc
from contextlib import contextmanager


@contextmanager
def frozen_heap():
    """Leave all objects of now out of the search.

    A task that takes records by the hundred thousand sets it off again and again, each time through all that Pulp consists
    of: a quarter of the time of a sync.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
