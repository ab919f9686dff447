Pages mark versions and files that a stage served only in the past, and the page of what is gone leads to the last state that had it.
