Made syncs without changes, moves and gates independent of the size of the channel where they had loaded the keys of all its content.
