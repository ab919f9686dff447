"""What a task says of single packages, in its progress reports."""

from pulpcore.plugin.models import ProgressReport

from pulp_conda.channel.errors import first_of, shown

# The most reports of one kind, and the most packages that one of them names.
_MOST_REPORTS = 20
_MOST_NAMES = 10

_OTHERS = "other reasons"


class Findings:
    """Packages that have something in common, by what it is.

    There is one report for each reason, with the number of packages and the names of the first of
    them. Neither the reports nor the memory grow with the channel.

    Args:
        heading: The first words of the reports, for example "Left out".
        code: The code of the reports.
    """

    def __init__(self, heading: str, code: str) -> None:
        self._heading = heading
        self._code = code
        self._counts: dict[str, int] = {}
        self._names: dict[str, list[str]] = {}

    def add(self, reason: str, name: str | None = None, count: int = 1) -> None:
        """Add a package.

        Args:
            reason: Why the package is reported. It must not have the name of the package in it.
            name: What the report calls the package. None if the report need not name it.
            count: How many packages there are.
        """
        if name is not None and reason not in self._counts and self._is_full:
            name, reason = f"{name} ({shown(reason)})", _OTHERS
        self._counts[reason] = self._counts.get(reason, 0) + count
        names = self._names.setdefault(reason, [])
        if name is not None and len(names) < _MOST_NAMES:
            names.append(shown(name))

    def report(self) -> None:
        """Write the reports, the one of the most packages first."""
        for reason, count in sorted(self._counts.items(), key=lambda item: -item[1]):
            message = f"{self._heading}: {shown(reason, longest=500)}"
            if names := self._names[reason]:
                message += f": {', '.join(first_of(names, _MOST_NAMES, count))}"
            with ProgressReport(message=message, code=self._code, total=count, done=count):
                pass

    @property
    def _is_full(self) -> bool:
        return sum(map(bool, self._names.values())) >= _MOST_REPORTS
