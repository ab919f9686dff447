"""Signals about channels. `receivers` listens, so that the sender does not import what follows.

They are sent with `send`, so that an error of a receiver is an error of the task.
"""

from django.dispatch import Signal

# A repository has a new version. Sent with `repository` and `version`. If a receiver fails,
# pulpcore deletes the version.
version_made = Signal()

# A publication is complete. Sent with `publication`.
publication_made = Signal()

# A distribution serves something else than before. Sent with `distribution`.
channel_moved = Signal()

# A virtual channel merges other channels than before. Sent with `repository`.
channels_merged = Signal()
