"""The words of the API: every field that has one of a few values, and the values.

They are the same as on the server. An older server may not know all of them, and a newer one may
have more.
"""

from enum import StrEnum


class EntryKind(StrEnum):
    """What an entry of the history of a lifecycle is about."""

    ADOPTED = "adopted"
    PUBLISHED = "published"
    PROMOTED = "promoted"
    PACKAGES = "packages"
    ROLLED_BACK = "rolled_back"


class EntryOutcome(StrEnum):
    """What happened to an entry of the history of a lifecycle."""

    MOVED = "moved"
    BLOCKED = "blocked"
    WAITING = "waiting"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"


class MoveOutcome(StrEnum):
    """What the report of a promotion or a rollback says."""

    MOVED = "moved"
    BLOCKED = "blocked"
    WAITING = "waiting"
    UNCHANGED = "unchanged"


class VersionOutcome(StrEnum):
    """What the report of a copy or of an imported lock file says."""

    MADE = "made"
    UNCHANGED = "unchanged"
    INCOMPLETE = "incomplete"


class GateKind(StrEnum):
    """What a gate asks."""

    ENVIRONMENTS = "environments"
    POLICY = "policy"
    APPROVAL = "approval"


class GateAction(StrEnum):
    """What a gate does if it does not pass."""

    BLOCK = "block"
    WARN = "warn"


class GateVerdict(StrEnum):
    """What a gate says."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"
    WAITING = "waiting"


class SolverVerdict(StrEnum):
    """What the solver says about an environment on a platform."""

    SOLVED = "solved"
    UNSOLVABLE = "unsolvable"
    UNKNOWN = "unknown"


class WebhookEvent(StrEnum):
    """What a message to a webhook is about."""

    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"
    GATE_FAILED = "gate_failed"
    APPROVAL_WANTED = "approval_wanted"


class DeliveryState(StrEnum):
    """What happened to a message to a webhook."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class ChangeKind(StrEnum):
    """What happened to a file between two states of a channel."""

    ADDED = "added"
    REMOVED = "removed"
    REPLACED = "replaced"
    UPDATED = "updated"


class Summary(StrEnum):
    """What happened to the packages of a name between two states of a channel."""

    UPGRADED = "upgraded"
    DOWNGRADED = "downgraded"
    NEW = "new"
    GONE = "gone"
    REBUILT = "rebuilt"
    CHANGED = "changed"


class EnvironmentFormat(StrEnum):
    """The formats of files that say what people want to install."""

    ENVIRONMENT_YML = "environment.yml"
    PIXI = "pixi.toml"
    PYPROJECT = "pyproject.toml"
    SPECS = "specs"


class LockFormat(StrEnum):
    """The formats of lock files."""

    PIXI = "pixi"
    CONDA_LOCK = "conda-lock"
    EXPLICIT = "explicit"


def values_of(words: type[StrEnum]) -> list[str]:
    """Return words as plain texts."""
    return [word.value for word in words]
