Added pages for people to the URL of each channel: a front page with a search, a page for each package and each file, what differs between two states, what each stage serves and what waits for it, all earlier states, and a list of the channels of the server at `/pulp/content/-/`.
They work without JavaScript, and a browser gets a page instead of plain text where something is missing or private.
