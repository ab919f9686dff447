"""The packages that a publication leaves out because no client could read their records."""

from collections.abc import Collection, Mapping

from pulp_conda.app.findings import Findings
from pulp_conda.app.versions.changes import Name

# The most packages that are remembered by name.
_MOST = 1000

# By subdir and package name, the reason and the path of each package.
ByName = dict[Name, list[tuple[str, str]]]


class LeftOut:
    """Gathers these packages, and reports them in the order of their paths.

    Attributes:
        by_name: All of them. Only the first of very many are here.
        is_complete: Whether `by_name` has all of them.
    """

    def __init__(self) -> None:
        self.by_name: ByName = {}
        self.is_complete = True
        self._count = 0
        self._findings = Findings("Left out", "publish.left_out")

    def add(self, subdir: str, name: str, reason: str, path: str) -> None:
        """Add a package."""
        self._count += 1
        if self._count > _MOST:
            if self.is_complete:
                self._pass_on()
            self.is_complete = False
            self._findings.add(reason, path)
        else:
            self.by_name.setdefault((subdir, name), []).append((reason, path))

    def copy(self, earlier: Mapping[Name, list[tuple[str, str]]], changed: Collection[str]) -> None:
        """Add what the publication before left out, but not of some names."""
        for (subdir, name), found in earlier.items():
            if name not in changed:
                for reason, path in found:
                    self.add(subdir, name, reason, path)

    def report(self) -> None:
        """Write the reports of the task."""
        if self.is_complete:
            self._pass_on()
        self._findings.report()

    def _pass_on(self) -> None:
        for key in sorted(self.by_name):
            for reason, path in self.by_name[key]:
                self._findings.add(reason, path)
