"""Replicate the channels of a domain to another domain of the same Pulp."""

import time


class Replication:
    """The replication from the domain of `source` to the domain of `target`.

    Args:
        name: The name of the upstream Pulp.
    """

    def __init__(self, source, target, name):
        self._target = target
        self._upstream = target.post(
            "upstream-pulps/",
            name=name,
            base_url=source.url,
            api_root="/pulp/",
            domain=source.api.split("/")[2],
            username="admin",
            password=source.session.auth[1],
            policy="labeled",
        )["pulp_href"]

    def run(self):
        """Replicate, and return the names of the functions of the tasks.

        Raises:
            TaskFailed: a task failed. The others ended, too.
        """
        group = self._target.get(self._target.post(f"{self._upstream}replicate/")["task_group"])
        while group["waiting"] or group["running"]:
            time.sleep(0.1)
            group = self._target.get(group["pulp_href"])
        tasks = [self._target.wait(task["pulp_href"]) for task in group["tasks"]]
        return [task["name"].rpartition(".")[2] for task in tasks]
