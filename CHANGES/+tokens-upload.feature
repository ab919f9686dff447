Let a token with the scope ``upload`` send packages to ``…/upload/`` of a repository, so that ``pulp conda channel upload`` works with the token of a robot.
