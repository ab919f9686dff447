"""What pages show: facts without markup. All times have a time zone.

Names, versions and all that packages say of themselves are untrusted input: templates escape it.
Links are relative to the page, so that prefixes, proxies and tokens in URLs stay as they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from urllib.parse import urlsplit


@dataclass(frozen=True)
class State:
    """Which state of a stage a page shows.

    Attributes:
        label: The name of the state as URLs have it: `v42`, or `v42.1` for single packages on top.
        since: When the stage began to serve it, in UTC.
        until: When the stage stopped serving it, in UTC. None if it still serves it.
        now: The URL of the same page of what the stage serves now. None if this page shows that.
    """

    stage: str
    lifecycle: str
    label: str
    since: datetime
    until: datetime | None
    now: str | None = None


@dataclass(frozen=True)
class Waiting:
    """A stage that served nothing yet.

    Attributes:
        is_first: Whether it serves what is published, and not what is promoted to it.
    """

    stage: str
    lifecycle: str
    is_first: bool


@dataclass(frozen=True)
class Stop:
    """One stage on the rail, with what the page is about there.

    Attributes:
        what: A state or a version; None if there is none.
        since: Since when the stage has it, or None if that is not known.
        href: The same page there, or None if it has none.
    """

    stage: str
    what: str | None
    since: datetime | None
    href: str | None
    is_here: bool = False


@dataclass(frozen=True)
class Frame:
    """What stands around every page of a channel.

    Attributes:
        name: The name of the channel, its base path.
        url: The URL that clients use, of the past if the page is of the past.
        root: The way from the page to the channel, as it was if the page is of the past.
        now: The way to the channel as it is now.
        site: The way from the page to the list of channels.
        private: Whether clients have to log in.
        state: The state that is shown, if the channel is a stage.
        lifecycle: The name of the lifecycle, if the channel is a stage.
        rail: The stages of the lifecycle that the visitor may read, in their order.
    """

    name: str
    url: str
    root: str = "./"
    now: str = "./"
    site: str = "../"
    private: bool = False
    state: State | None = None
    lifecycle: str | None = None
    rail: Sequence[Stop] = ()

    @property
    def host(self) -> str:
        """The host of the channel, without its port: clients keep credentials by it."""
        return urlsplit(self.url).hostname or "HOST"

    @property
    def is_past(self) -> bool:
        """Whether the page shows the channel as it was."""
        return self.state is not None and self.state.now is not None


@dataclass(frozen=True)
class Notice:
    """What the owner of a channel says to all who use it.

    Attributes:
        level: `critical`, `warning` or `info`.
    """

    text: str
    level: str
    until: datetime | None


@dataclass(frozen=True)
class Moved:
    """A package name that the last change of the channel was about.

    Attributes:
        what: `upgraded`, `downgraded`, `new`, `gone`, `rebuilt`, `changed` or `added`.
        before, after: The newest version before and after, or None.
    """

    name: str
    what: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Lately:
    """What the last change of the channel did.

    Attributes:
        title: Of the section.
        count: How many names it was about; None if nobody counted.
        href: The page with all of it, or None.
    """

    title: str
    names: Sequence[Moved]
    count: int | None = None
    href: str | None = None


@dataclass(frozen=True)
class PastState:
    """A state that can be asked for.

    Attributes:
        moment: As it stands in URLs behind `at/`.
    """

    label: str
    moment: str
    since: datetime
    until: datetime | None


@dataclass(frozen=True)
class Month:
    """One month of the past of a stage.

    Attributes:
        first: Its first day.
        states: The label of the last state that began on a day, by the day's number.
        today: The last day with a past, if it is in this month; else None.
        before, after: The months next to it, as `2026-10`, or None where the past ends.
    """

    first: date
    states: Mapping[int, str]
    days: int
    today: int | None
    before: str | None
    after: str | None

    @property
    def name(self) -> str:
        """`November 2026`."""
        return self.first.strftime("%B %Y")

    @property
    def gap(self) -> int:
        """How many days of its first week, from Monday on, belong to the month before."""
        return self.first.weekday()

    def date_of(self, day: int) -> str:
        """Return a day as `2026-11-03`."""
        return self.first.replace(day=day).isoformat()


@dataclass(frozen=True)
class Channel:
    """The front page of a channel.

    Attributes:
        about: What its owner says of it.
        files: The number of files by subdir.
        packages: The number of package names, or None if it is not known.
        changed: Since when the URL serves this.
        mirror_of: The URL of its upstream without secrets, or None.
        earlier: The newest states before this one.
        first: The first state, or None.
    """

    files: Mapping[str, int]
    changed: datetime | None = None
    about: str = ""
    packages: int | None = None
    mirror_of: str | None = None
    synced: datetime | None = None
    notices: Sequence[Notice] = ()
    lately: Lately | None = None
    month: Month | None = None
    earlier: Sequence[PastState] = ()
    first: PastState | None = None

    @property
    def file_count(self) -> int:
        """The number of files of all subdirs."""
        return sum(self.files.values())


@dataclass(frozen=True)
class File:
    """One file of a package.

    Attributes:
        size: In bytes, or None.
        built: When it was built, as it says itself.
        here_since: When this server got to know it.
        is_here: Whether its bytes are on this server, where they were checked when they came.
        blocked: Why it cannot be downloaded, or None if it can.
        is_hidden: Whether a patch took it out of the index.
        is_patched: Whether a patch corrects its record.
        is_gone: Whether the channel does not serve it now, but did so in the past.
        attestation: `verified` here, `not checked`, `claimed` by its record only, or empty.
    """

    subdir: str
    filename: str
    version: str
    build: str
    build_number: int
    size: int | None
    sha256: str
    built: datetime | None
    here_since: datetime | None = None
    is_here: bool = False
    blocked: str | None = None
    is_hidden: bool = False
    is_patched: bool = False
    is_gone: bool = False
    attestation: str = ""

    @property
    def marks(self) -> list[str]:
        """In words, what is unusual about it."""
        marks = {
            "blocked": self.blocked is not None,
            "hidden": self.is_hidden,
            "patched": self.is_patched,
            "only in the past": self.is_gone,
        }
        return [word for word, is_true in marks.items() if is_true]


@dataclass(frozen=True)
class Need:
    """A dependency.

    Attributes:
        names: Of packages, with the same spec.
        specs: What is asked of their versions; some files ask for other ones than others.
        is_virtual: Whether it is of the machine, and no package.
        is_missing: Whether the channel has none of that name; None if nobody looked.
    """

    names: Sequence[str]
    specs: Sequence[str]
    is_virtual: bool = False
    is_missing: bool | None = None


@dataclass(frozen=True)
class Version:
    """All files of one version.

    Attributes:
        built: When the newest file was built, or None.
        size: Of all files, in bytes.
        past: The last state that had it, if the channel does not have it now.
    """

    version: str
    files: int
    subdirs: Sequence[str]
    size: int
    built: datetime | None
    marks: Sequence[str] = ()
    past: PastState | None = None


@dataclass(frozen=True)
class Said:
    """What a package says of itself. Nobody checked it."""

    summary: str = ""
    description: str = ""
    license: str = ""
    links: Sequence[tuple[str, str]] = ()
    maintainers: Sequence[str] = ()


@dataclass(frozen=True)
class Elsewhere:
    """Another channel that has the package."""

    channel: str
    href: str
    version: str
    since: datetime | None


@dataclass(frozen=True)
class Dependents:
    """Which packages of the channel need one, by the newest version of each.

    Attributes:
        names: The first of them.
    """

    count: int
    names: Sequence[str]


@dataclass(frozen=True)
class Package:
    """The page of a package name.

    Attributes:
        chosen: The version whose files and needs are shown.
        newest: By subdir.
        files: Of the chosen version.
        file_count: How many files the chosen version has.
        needs: Of the chosen version on one platform.
        needs_of: The platform.
        needs_count: How many there are.
        needs_more: The query of more of them, or None.
        is_needs_part: Whether these are not the first of them, or more than those at first.
        platforms: Those of the chosen version.
        versions: A part of all, newest first by conda's order.
        more: The query of the next part, or None.
        spec: Which versions are shown: a MatchSpec's version, or empty.
        spec_problem: Why the spec could not be read, or empty.
        installable: What install lines name, or None if nothing can be installed.
        instead: If not, the newest version that can be, or None.
    """

    name: str
    chosen: str
    is_newest: bool
    newest: Mapping[str, str]
    files: Sequence[File]
    file_count: int
    needs: Sequence[Need]
    needs_of: str
    needs_count: int
    needs_more: str | None
    is_needs_part: bool
    platforms: Sequence[str]
    constrains: Sequence[str]
    run_exports: Mapping[str, Sequence[str]]
    versions: Sequence[Version]
    version_count: int
    total_files: int
    said: Said
    installable: str | None
    instead: str | None = None
    more: str | None = None
    spec: str = ""
    spec_problem: str = ""
    dependents: Dependents | None = None
    elsewhere: Sequence[Elsewhere] = ()
    blocked: Sequence[tuple[str, str]] = ()
    checked: int = 0
    attestations: Mapping[str, int] = field(default_factory=dict)
    here_since: datetime | None = None


@dataclass(frozen=True)
class Contents:
    """What is in a file.

    Attributes:
        paths: Paths with their sizes in bytes, or None where a size is not known.
        count: How many there are.
        more: The query of the next part, or None.
        reason: Why nothing is shown, or empty.
    """

    paths: Sequence[tuple[str, int | None]] = ()
    count: int = 0
    more: str | None = None
    reason: str = ""


@dataclass(frozen=True)
class FilePage:
    """The page of one file.

    Attributes:
        record: As clients read it, as lines of JSON.
        patches: The keys of the record that patches change: (key, before, after) as JSON.
        url: From where clients get it.
        href: The way to it from the page.
    """

    name: str
    file: File
    url: str
    href: str
    needs: Sequence[Need]
    needs_count: int
    constrains: Sequence[str]
    record: str
    said: Said
    md5: str = ""
    patches: Sequence[tuple[str, str, str]] = ()
    contents: Contents = field(default_factory=Contents)


@dataclass(frozen=True)
class Hit:
    """A package name that a search found."""

    name: str
    summary: str
    facts: str
    href: str


@dataclass(frozen=True)
class Search:
    """What a search found.

    Attributes:
        sentence: How many.
        note: What was searched for, if it is not the text.
        more: The query of the next part, or None.
    """

    text: str
    hits: Sequence[Hit]
    sentence: str
    note: str = ""
    more: str | None = None


@dataclass(frozen=True)
class FileChange:
    """What became of one file: `added`, `removed`, `replaced` or `updated`.

    Attributes:
        values: Of an updated record: (key, before, after) as JSON.
    """

    kind: str
    subdir: str
    filename: str
    values: Sequence[tuple[str, str, str]] = ()


@dataclass(frozen=True)
class NameChange:
    """What became of one package name."""

    name: str
    summary: str
    before: str | None
    after: str | None
    subdirs: Sequence[str]
    counts: Mapping[str, int]
    files: Sequence[FileChange]
    file_count: int


@dataclass(frozen=True)
class Changes:
    """What differs between two states.

    Attributes:
        base, target: As they were asked for.
        choices: What else to ask for.
        counts: How many names have which summary.
        alarming: How many names are downgraded or gone.
        replaced: How many files have other bytes.
        problem: Why nothing can be compared, or empty.
        more: The query of the next part, or None.
    """

    base: str
    target: str
    choices: Sequence[str]
    counts: Mapping[str, int]
    names: Sequence[NameChange]
    name: str = ""
    summary: str = ""
    replaced: int = 0
    alarming: int = 0
    problem: str = ""
    more: str | None = None


@dataclass(frozen=True)
class Gate:
    """What a gate said.

    Attributes:
        verdict: `passed`, `failed`, `waiting` or `unknown`.
        findings: In words, what is wrong; the first of them.
        count: How many there are.
    """

    name: str
    kind: str
    verdict: str
    summary: str
    findings: Sequence[str] = ()
    count: int = 0
    is_overridden: bool = False


@dataclass(frozen=True)
class Column:
    """One stage on the board.

    Attributes:
        label: What it serves, or None.
        waits: The label of what the stage before serves and this one does not, or None.
        asked_for: Of which state its gates were asked last, or empty.
        asked: When, or None.
        demands: The gates: (name, kind).
    """

    name: str
    href: str
    is_here: bool
    is_first: bool
    label: str | None
    since: datetime | None
    before: str | None
    waits: str | None
    waits_href: str | None
    asked_for: str = ""
    asked: datetime | None = None
    gates: Sequence[Gate] = ()
    demands: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Event:
    """One entry of the history, without persons and reasons."""

    at: datetime
    stage: str
    outcome: str
    sentence: str
    href: str | None = None
    is_overridden: bool = False


@dataclass(frozen=True)
class Listing:
    """One channel of the list of channels.

    Attributes:
        files: How many it has, or None if it serves nothing yet.
        changed: Since when it serves this.
    """

    name: str
    href: str
    is_private: bool
    files: int | None
    changed: datetime | None
