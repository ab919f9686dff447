"""What gates are asked, and what they answer."""

from dataclasses import dataclass, field
from gettext import gettext as _

from pulpcore.plugin.util import get_domain_pk

from pulp_conda.app.models import CondaDistribution

# A report is read by people: the first findings, and how many there are.
SHOWN = 100


@dataclass(frozen=True)
class Case:
    """A stage that is to move.

    Attributes:
        stage (CondaStage): Which.
        publication (CondaPublication): What it is to serve.
        before (CondaPublication): What it serves, or None.
        entry (HistoryEntry): Who wants it, and what others answered.
    """

    stage: object
    publication: object
    before: object
    entry: object


@dataclass(frozen=True)
class Verdict:
    """What a gate says.

    Attributes:
        verdict: `passed`, `failed`, `unknown` if nobody can tell, or `waiting` for people.
        summary: One line for people.
        findings: What is wrong, at most `SHOWN` objects.
        count: How many there are.
    """

    verdict: str
    summary: str
    findings: list = field(default_factory=list)
    count: int = 0

    @property
    def is_passed(self):
        return self.verdict == "passed"


def find_channel(base_path):
    """Return another channel of this server, by its base path.

    Raises:
        ValueError: there is none.
    """
    distribution = CondaDistribution.objects.filter(
        base_path=base_path, pulp_domain=get_domain_pk()
    ).first()
    if distribution is None:
        raise ValueError(_("this server has no channel '{}'").format(base_path))
    return distribution


def served_by(distribution):
    """Return the publication that another channel serves.

    Raises:
        ValueError: it serves none.
    """
    publication = distribution.get_repository_publication_and_version()[2]
    if publication is None:
        raise ValueError(_("the channel '{}' serves nothing").format(distribution.base_path))
    return publication
