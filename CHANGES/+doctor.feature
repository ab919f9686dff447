`pulp conda doctor` says which task holds a channel, since when, and what to do; `pulpcore-manager conda_doctor --fix` removes workers that are gone, so that the channel goes on at once.
