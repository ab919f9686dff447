"""What happens to a channel, for code that the code where it happens shall not know; `receivers`
listens.

Both are sent with `send`, so that an error of a receiver is an error of the task.
"""

from django.dispatch import Signal

# A repository has a new version. Sent with `version`, while pulpcore still deletes it if a receiver
# fails.
version_made = Signal()

# A publication is complete. Sent with `publication`.
publication_made = Signal()
