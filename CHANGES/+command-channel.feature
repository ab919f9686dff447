Added ``pulp conda channel``: create, sync, upload, diff, copy and destroy channels with one command each, and print the lines to paste for clients.
