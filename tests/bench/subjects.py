"""What is measured: mirrored channels, made when a topic asks for them first."""

from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.channel import Channel
from tests.bench.figures import say
from tests.bench.processes import Used
from tests.bench.pulp import MeasuredPulp, measured_pulp
from tests.bench.server import serving

# With less there would be nothing to change from one day to the next.
SMALLEST = 400


@dataclass(frozen=True)
class Subject:
    """A channel that was synced for the first time.

    Attributes:
        repository: Its href.
        folder: That of its upstream.
        first_sync: What the sync took.
    """

    pulp: MeasuredPulp
    channel: Channel
    repository: str
    folder: Path
    first_sync: Used

    @cached_property
    def publication(self):
        """The publication's href, and what publishing took.

        PostgreSQL does not tidy up before, as it does not with `autopublish`.
        """
        say(f"Publishing {self.channel.records} packages")
        return self.pulp.publish(self.repository)

    @cached_property
    def url(self):
        """Where the publication is served."""
        assert self.publication
        return self.pulp.distribute(self.repository)

    def check_count(self, channel=None):
        """Make sure that the version has what the upstream has.

        A fast sync that finds nothing is worth nothing.
        """
        counts, _ = (channel or self.channel).counts()
        found = self.pulp.count(self.repository)
        if found != sum(counts.values()):
            raise AssertionError(f"{found} packages were synced, and the upstream has {counts}")


class Subjects:
    """The subjects of a run. A context: its processes and folders go with it.

    Attributes:
        size: The number of records to measure with.
    """

    def __init__(self, size):
        self.size = size
        self._exit = ExitStack()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        return self._exit.__exit__(*exception)

    @property
    def smaller_size(self):
        """What to compare `size` with, where growth is the question."""
        return 200_000 if self.size > 200_000 else self.size // 4

    @cached_property
    def main(self):
        """A channel of repodata, alone in its database."""
        return self.synced(self._start_pulp(), Channel(self.size))

    @cached_property
    def other_pulp(self):
        """A Pulp beside it, for channels of other sizes and kinds."""
        return self._start_pulp()

    @cached_property
    def smaller(self):
        return self.synced(self.other_pulp, Channel(self.smaller_size, seed=2))

    def synced(self, pulp, channel, write=Channel.write_flat):
        """Mirror a channel."""
        say(f"Writing a channel of {channel.records} records")
        folder = Path(self._exit.enter_context(TemporaryDirectory(prefix="pulp-conda-bench-")))
        write(channel, folder)
        repository = pulp.mirror(self._exit.enter_context(serving(folder)))
        pulp.settle()
        say(f"Syncing {channel.records} records for the first time")
        subject = Subject(pulp, channel, repository, folder, pulp.sync(repository))
        subject.check_count()
        return subject

    def _start_pulp(self):
        say("Starting a Pulp")
        return self._exit.enter_context(measured_pulp())
