Added syncs that take records in bulk, so that large channels are mirrored in minutes.
