"""Writes the results of a run's tasks to a file, for tests to compare: ansible-core has no such
callback.
"""

import json
import os

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "as_json"

    def __init__(self):
        super().__init__()
        self._results = []

    def v2_runner_on_ok(self, result):
        self._note(result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._note(result, failed=True)

    def v2_runner_on_skipped(self, result):
        self._note(result, skipped=True)

    def v2_playbook_on_stats(self, stats):
        with open(os.environ["RESULTS"], "w") as file:
            json.dump(self._results, file, default=str)

    def _note(self, result, **facts):
        self._results.append({"task": result.task.get_name(), **result.result, **facts})
