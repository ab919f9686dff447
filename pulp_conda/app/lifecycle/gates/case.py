"""The question that gates get, and their answer."""

from dataclasses import dataclass, field
from gettext import gettext as _
from typing import Any

from django.db.models import QuerySet

from pulpcore.plugin.models import Publication
from pulpcore.plugin.util import get_domain_pk

from pulp_conda.app.models import CondaDistribution, CondaPublication, CondaStage, HistoryEntry
from pulp_conda.app.models.publication import served_state
from pulp_conda.app.versions.state import State
from pulp_conda.app.vocabulary import GateVerdict

# People read the reports. A report has this many findings, and the number of all.
SHOWN = 100

# A gate as the API has it: `name`, `kind`, `action` and the options of the kind.
Gate = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A requested move of a stage.

    Attributes:
        stage: The stage that shall move.
        publication: What the stage shall serve.
        before: What the stage serves now, or None.
        entry: The entry of the history, with the requester and the answers of others.
    """

    stage: CondaStage
    publication: CondaPublication
    before: CondaPublication | None
    entry: HistoryEntry

    @property
    def state(self) -> State:
        """What the stage shall serve."""
        return served_state(self.publication)

    @property
    def state_before(self) -> State | None:
        """What the stage serves now, or None."""
        return self.before and served_state(self.before)


@dataclass(frozen=True)
class Verdict:
    """The answer of a gate.

    Attributes:
        verdict: `passed`, `failed`, `unknown` if the gate could not find out, or `waiting` for
            people.
        summary: One line for people.
        findings: What is wrong, at most `SHOWN` objects.
        count: The number of all findings.
    """

    verdict: GateVerdict
    summary: str
    findings: list[dict[str, Any]] = field(default_factory=list)
    count: int = 0

    @property
    def is_passed(self) -> bool:
        """Whether the stage may move, as far as this gate knows."""
        return self.verdict == GateVerdict.PASSED


def find_channel(base_path: str, among: QuerySet | None = None) -> CondaDistribution:
    """Return the distribution of a channel of this server, by its base path.

    Args:
        among: The distributions that may be named. The default is all.

    Raises:
        ValueError: there is no such channel.
    """
    distributions = CondaDistribution.objects.all() if among is None else among
    distribution = distributions.filter(base_path=base_path, pulp_domain=get_domain_pk()).first()
    if distribution is None:
        raise ValueError(_("this server has no channel '{}'").format(base_path))
    return distribution


def served_by(distribution: CondaDistribution) -> Publication:
    """Return the publication that a channel serves.

    Raises:
        ValueError: the channel serves none.
    """
    publication = distribution.get_repository_publication_and_version()[2]
    if publication is None:
        raise ValueError(_("the channel '{}' serves nothing").format(distribution.base_path))
    return publication
