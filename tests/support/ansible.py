"""The real `ansible-playbook`, with the collection of this checkout; and its modules in the process
of the tests.
"""

import importlib
import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import yaml
from ansible.module_utils.testing import patch_module_args

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
    """Runs the programs of Ansible as a user who has nothing but a fresh home, and this
    collection.
    """

    def __init__(self, folder, **variables):
        self.folder = folder
        _link_collection(folder)
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
            # Modules go to Python through a pipe, instead of as files that are copied first.
            "ANSIBLE_PIPELINING": "1",
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


class ModulesInside:
    """Runs tasks as `Ansible` does, in the process of the tests: a program for each of them takes a
    second.

    A task here is a module with its options, and may have `name`, `check_mode` and `ignore_errors`.
    """

    def __init__(self, folder, **variables):
        _link_collection(folder)
        self.path = str(folder)
        self.environment = variables

    def tasks(self, tasks, *arguments, fails=False):
        """Run tasks up to the first that fails. The arguments are `--check` and `--diff` of
        `ansible-playbook`.
        """
        output, results, has_failed = "", [], False
        for task in tasks:
            task = dict(task)
            name, is_ignored = task.pop("name"), task.pop("ignore_errors", False)
            is_check = task.pop("check_mode", "--check" in arguments)
            ((module, options),) = task.items()
            options = {
                **options,
                "_ansible_check_mode": is_check,
                "_ansible_diff": "--diff" in arguments,
            }
            printed = self._run(module, options)
            output += printed
            results.append({"task": name, **json.loads(printed)})
            has_failed = results[-1].get("failed", False) and not is_ignored
            if has_failed:
                break
        assert has_failed is fails, output
        return Run(int(has_failed), output, results)

    def _run(self, module, options):
        """Return what the module printed."""
        printed = io.StringIO()
        name = module.rpartition(".")[2]
        with (
            patch.object(sys, "path", [self.path, *sys.path]),
            patch.dict(os.environ, self.environment),
        ):
            found = importlib.import_module(
                f"ansible_collections.pulp.conda.plugins.modules.{name}"
            )
            with patch_module_args(options), redirect_stdout(printed):
                try:
                    found.main()
                except SystemExit:
                    return printed.getvalue()
        raise AssertionError(f"{module} did not end by exit_json or fail_json")


def _link_collection(folder):
    collections = folder / "ansible_collections/pulp"
    collections.mkdir(parents=True)
    (collections / "conda").symlink_to(CHECKOUT / "ansible")
