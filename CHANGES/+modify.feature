Made a change of a few packages in a channel of a million take about a second instead of half a minute, for ``modify``, uploads, copies and the deletion of versions beyond ``retain_repo_versions``.
