"""The board of a lifecycle with buttons: for people who logged in.

The pages of `facts` are the same for all who may read a channel. These show what one person may see
and do, so no cache keeps them. They run no script at all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pulp_conda.pages.facts import Gate
from pulp_conda.pages.looks import render


@dataclass(frozen=True)
class Desk:
    """What stands around each page of the board.

    Attributes:
        user: The name of the person who logged in; empty for nobody.
        home: The list of the lifecycles.
        channels: The place of the list of all channels, in the content app.
        logout: Where to log out.
        csrf_token: What forms have to send back.
        lifecycle: The name of the lifecycle, or empty.
        href: Its board, or empty.
    """

    user: str
    home: str
    channels: str
    logout: str
    csrf_token: str
    lifecycle: str = ""
    href: str = ""


@dataclass(frozen=True)
class ListedLifecycle:
    """One lifecycle of the list.

    Attributes:
        stages: Their names, each with the label of what it serves, or None.
    """

    name: str
    href: str
    stages: Sequence[tuple[str, str | None]]


@dataclass(frozen=True)
class Answer:
    """What an approver said to a request."""

    user: str
    approved: bool
    reason: str


@dataclass(frozen=True)
class Override:
    """Why somebody passed a gate, whatever it said."""

    gate: str
    user: str
    reason: str


@dataclass(frozen=True)
class Happened:
    """One entry of the history, with its persons and reasons.

    Attributes:
        word: What happened, in a word or two.
        sentence: The same, in full.
        href: The page of the entry.
        back: The page that rolls the stage back to it, or None.
    """

    number: int
    at: datetime
    word: str
    sentence: str
    href: str
    asked_by: str = ""
    reason: str = ""
    answers: Sequence[Answer] = ()
    overrides: Sequence[Override] = ()
    back: str | None = None


@dataclass(frozen=True)
class Request:
    """A request that waits for people to approve it.

    Attributes:
        approve, reject: The pages that do so, or None if the person may not.
        why_not: Why the person may not, or empty.
    """

    entry: Happened
    state: str
    gates: Sequence[Gate]
    approve: str | None
    reject: str | None
    why_not: str = ""


@dataclass(frozen=True)
class Asked:
    """What gates said of a state, and when."""

    state: str
    at: datetime
    gates: Sequence[Gate]
    href: str


@dataclass(frozen=True)
class Column:
    """A stage on the board.

    Attributes:
        href: The page of the channel.
        state: The label of what it serves, or None.
        files: How many it serves.
        waits: The label of what the stage before serves and this one does not, or None.
        behind: How many files differ between the two, or None if nobody counted.
        asked: What the gates said last, if the stage did not move since.
        gates: The names of all gates.
        promote, roll_back: The pages that do so, or None if there is nothing to do, or the person
            may not.
    """

    name: str
    href: str
    before: str | None
    state: str | None
    since: datetime | None
    files: int
    waits: str | None
    behind: int | None
    asked: Asked | None
    requests: Sequence[Request]
    gates: Sequence[str]
    promote: str | None
    roll_back: str | None


@dataclass(frozen=True)
class Board:
    """The board of a lifecycle.

    Attributes:
        about: What the owner says of the channel.
        hints: Sentences about what the person may not do, and which role is needed.
        history: Some entries, newest first; None if the person may not see any.
        stage: Of which stage they are; empty for all.
        newer: Whether they are not the newest ones.
        older: The query of the next part, or None.
    """

    about: str
    columns: Sequence[Column]
    hints: Sequence[str]
    history: Sequence[Happened] | None
    stage: str = ""
    newer: bool = False
    older: str | None = None


@dataclass(frozen=True)
class Renamed:
    """What becomes of the files of a package name.

    Attributes:
        what: `upgraded`, `downgraded`, `new`, `gone`, `rebuilt` or `changed`.
        before, after: The highest version before and after, or None.
    """

    name: str
    what: str
    before: str | None
    after: str | None
    subdirs: Sequence[str]


@dataclass(frozen=True)
class Difference:
    """What changes for the users of a stage.

    Attributes:
        base, target: The labels of the two states; the base is None if there is nothing yet.
        counts: How many names have which summary.
        names: The first of them.
        replaced: How many files have other bytes.
        href: The page with all of them, or None.
    """

    base: str | None
    target: str
    counts: Mapping[str, int]
    names: Sequence[Renamed]
    replaced: int = 0
    href: str | None = None

    @property
    def total(self) -> int:
        """The number of all names."""
        return sum(self.counts.values())

    @property
    def alarming(self) -> int:
        """The number of names that people look at first."""
        return self.counts.get("downgraded", 0) + self.counts.get("gone", 0)


@dataclass(frozen=True)
class Form:
    """What a person fills in before something happens.

    Attributes:
        button: What happens.
        is_danger: Whether it takes something back.
        trial: What the button for a dry run says, or empty.
        hidden: Values that go with the form.
        overrides: The names of gates that can be passed whatever they say, with what was typed.
        reason: What was typed.
    """

    button: str
    is_danger: bool = False
    trial: str = ""
    hidden: Mapping[str, str] = field(default_factory=dict)
    overrides: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True)
class Confirmation:
    """A page before something happens: what would change, and the button.

    Attributes:
        notes: Sentences about the state of things.
        problems: Sentences of errors.
        request: What waits for an answer, if it is about that.
        points: Other states to choose: (label, since, href).
        form: None if there is nothing to do, or the person may not.
    """

    title: str
    notes: Sequence[str] = ()
    problems: Sequence[str] = ()
    difference: Difference | None = None
    request: Happened | None = None
    asked: Asked | None = None
    gates: Sequence[str] = ()
    points: Sequence[tuple[str, datetime, str]] = ()
    form: Form | None = None


@dataclass(frozen=True)
class Outcome:
    """What came of a request, or what a history entry is about.

    Attributes:
        is_running: Whether nothing came of it yet.
        word: What happened, in a word; empty if there is none.
        links: What to do next: (words, href).
    """

    title: str
    word: str = ""
    is_running: bool = False
    notes: Sequence[str] = ()
    problems: Sequence[str] = ()
    entry: Happened | None = None
    difference: Difference | None = None
    gates: Sequence[Gate] = ()
    links: Sequence[tuple[str, str]] = ()


def render_lifecycles(
    desk: Desk, lifecycles: Sequence[ListedLifecycle], more: str | None = None
) -> str:
    """Return the list of the lifecycles that a person may see.

    Args:
        more: The query of the next part, or None.
    """
    return _render("lifecycles.html", desk, lifecycles=lifecycles, more=more)


def render_board(desk: Desk, board: Board) -> str:
    """Return the board of a lifecycle."""
    return _render("stages.html", desk, board=board)


def render_confirmation(desk: Desk, page: Confirmation) -> str:
    """Return the page before something happens."""
    return _render("confirmation.html", desk, page=page)


def render_outcome(desk: Desk, page: Outcome) -> str:
    """Return the page of what came of a request, or of a history entry."""
    return _render("outcome.html", desk, page=page)


def render_refusal(desk: Desk, title: str, sentences: Sequence[str]) -> str:
    """Return what a person sees in place of a page."""
    return _render("refusal.html", desk, title=title, sentences=sentences)


def _render(template: str, desk: Desk, **facts: object) -> str:
    return render(
        f"board_{template}", desk=desk, site=desk.channels, noindex=True, script="", **facts
    )
