Made syncs without changes, moves and gates faster in large channels: they no longer load the keys of all content.
