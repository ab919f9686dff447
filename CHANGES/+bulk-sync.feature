Added syncs that take records in bulk when files are downloaded later, so that large channels are mirrored in minutes.
