"""Python's search for garbage, kept away from what is not garbage."""

import gc
from contextlib import contextmanager

# More than a batch of records consists of.
_OBJECTS = 100_000


@contextmanager
def frozen_heap():
    """Leave all objects of now out of the search, and search less often.

    A task that takes records by the hundred thousand sets it off again and again, each time through all that Pulp consists
    of: a quarter of the time of a sync.
    """
    thresholds = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_OBJECTS, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()
