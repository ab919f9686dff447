"""List the stored MatchSpecs that would be refused if they were written now."""

from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from pulp_conda.app.lifecycle.gates import policy
from pulp_conda.app.models import CondaBlock, CondaRemote, CondaStage
from pulp_conda.app.vocabulary import GateKind
from pulp_conda.channel.errors import BadMatchSpec, BadPolicy, ChannelError
from pulp_conda.channel.matchspec import Query


class Command(BaseCommand):
    """List what remotes, gates and blocks of all domains have in MatchSpecs without a clear
    meaning.
    """

    help = (
        "List the match specs of remotes, gates and blocks, in all domains, that have no clear "
        "meaning. The exit code is 1 if there are any."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        count = 0
        for problem in (*_of_remotes(), *_of_gates(), *_of_blocks()):
            count += 1
            self.stdout.write(str(problem))
        if count:
            raise CommandError(f"{count} of the stored match specs have to be written again.")
        self.stdout.write("All stored match specs have a clear meaning.")


def _of_remotes() -> Iterator[ChannelError]:
    for remote in CondaRemote.objects.select_related("pulp_domain").order_by("name"):
        for field, specs in (("includes", remote.includes), ("excludes", remote.excludes)):
            for index, spec in enumerate(specs):
                place = f"remote '{remote.name}', {field}[{index}]"
                yield from _problem(spec, f"Domain '{remote.pulp_domain.name}', {place}")


def _of_gates() -> Iterator[ChannelError]:
    stages = CondaStage.objects.select_related("lifecycle__pulp_domain")
    for stage in stages.order_by("lifecycle__name", "name"):
        domain = stage.lifecycle.pulp_domain.name
        for gate in stage.gates:
            try:
                if gate["kind"] == GateKind.POLICY:
                    policy.check(gate)
            except BadPolicy as error:
                place = f"lifecycle '{stage.lifecycle.name}', stage '{stage.name}'"
                yield error.at(f"Domain '{domain}', {place}")


def _of_blocks() -> Iterator[ChannelError]:
    blocks = CondaBlock.objects.exclude(spec="").select_related("pulp_domain").order_by("spec")
    for block in blocks:
        yield from _problem(block.spec, f"Domain '{block.pulp_domain.name}', block")


def _problem(spec: str, where: str) -> Iterator[ChannelError]:
    try:
        Query(spec)
    except BadMatchSpec as error:
        yield error.at(where)
