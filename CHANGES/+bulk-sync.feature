Added syncs that read and store records in bulk, so that large channels are mirrored in minutes.
