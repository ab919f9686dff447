"""The real `ansible-playbook`, with the collection of this checkout."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

CHECKOUT = Path(__file__).parents[2]
_SECONDS = 600


@dataclass
class Run:
    """What a run of a playbook printed and did.

    Attributes:
        tasks: The results of the tasks, in their order, with the name of the `task`.
    """

    code: int
    output: str
    tasks: list

    def task(self, name):
        """Return the results of the task of this name."""
        (found,) = (task for task in self.tasks if task["task"].split(" : ")[-1] == name)
        return found

    def changed(self):
        """Name the tasks that changed something."""
        return [task["task"].split(" : ")[-1] for task in self.tasks if task.get("changed")]


class Ansible:
    """Runs the programs of Ansible as a user who has nothing but a fresh home, and this collection."""

    def __init__(self, folder, **variables):
        self.folder = folder
        collections = folder / "ansible_collections/pulp"
        collections.mkdir(parents=True)
        (collections / "conda").symlink_to(CHECKOUT / "ansible")
        self.programs = folder / "programs"
        self.programs.mkdir()
        path = [str(self.programs), str(Path(sys.executable).parent), os.defpath]
        self.environment = {
            "ANSIBLE_CALLBACK_PLUGINS": str(CHECKOUT / "tests/ansible/callbacks"),
            "ANSIBLE_CALLBACKS_ENABLED": "as_json",
            "ANSIBLE_COLLECTIONS_PATH": str(folder),
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
            "ANSIBLE_NOCOLOR": "1",
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "PATH": os.pathsep.join(path),
            "PYTHONPATH": str(CHECKOUT),
            **variables,
        }

    def run(self, program, *arguments, **variables):
        """Run a program, and return what it was and what it printed."""
        return subprocess.run(
            [program, *map(str, arguments)],
            cwd=self.folder,
            env=self.environment | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_SECONDS,
        )

    def playbook(self, path, *arguments, fails=False, **variables):
        """Run a playbook with these variables."""
        results = self.folder / "results.json"
        results.unlink(missing_ok=True)
        extra = ["--extra-vars", json.dumps(variables)]
        done = self.run("ansible-playbook", path, *extra, *arguments, RESULTS=str(results))
        assert (done.returncode != 0) is fails, done.stdout
        return Run(done.returncode, done.stdout, json.loads(results.read_text()))

    def tasks(self, tasks, *arguments, **options):
        """Run tasks, as a playbook has them."""
        path = self.folder / "tasks.yml"
        play = {"hosts": "localhost", "gather_facts": False, "tasks": tasks}
        path.write_text(yaml.safe_dump([play], sort_keys=False))
        return self.playbook(path, *arguments, **options)
