"""The enumerations of the API: the fields with a fixed set of values, and the values.

The server has the same ones. An older server may not have all values, and a newer one may have
more.
"""

from enum import StrEnum


class ActVerb(StrEnum):
    """What somebody did to an object."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"
    CHANGED_CONTENT = "changed_content"
    DELETED_VERSION = "deleted_version"
    MOVED = "moved"
    GRANTED = "granted"
    REVOKED = "revoked"
    MINTED = "minted"


class UploadState(StrEnum):
    """What became of an uploaded file."""

    HELD = "held"
    CONVERTING = "converting"
    WAITING = "waiting"
    PUBLISHED = "published"
    EXISTS = "exists"
    CONFLICT = "conflict"
    REFUSED = "refused"


class ChannelRole(StrEnum):
    """What a member of a team does with a channel."""

    READER = "reader"
    UPLOADER = "uploader"
    PROMOTER = "promoter"
    APPROVER = "approver"
    OWNER = "owner"


class RunOutcome(StrEnum):
    """What became of a run of a refresh."""

    RUNNING = "running"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    SKIPPED = "skipped"
    STOPPED = "stopped"


class EntryKind(StrEnum):
    """The kind of an entry in the history of a lifecycle."""

    ADOPTED = "adopted"
    PUBLISHED = "published"
    PROMOTED = "promoted"
    PACKAGES = "packages"
    ROLLED_BACK = "rolled_back"
    BLOCKED = "blocked"
    UNBLOCKED = "unblocked"


class EntryOutcome(StrEnum):
    """The outcome of an entry in the history of a lifecycle."""

    MOVED = "moved"
    BLOCKED = "blocked"
    WAITING = "waiting"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"


class MoveOutcome(StrEnum):
    """The outcome in the report of a promotion or a rollback."""

    MOVED = "moved"
    BLOCKED = "blocked"
    WAITING = "waiting"
    UNCHANGED = "unchanged"


class VersionOutcome(StrEnum):
    """The outcome in the report of a copy or of an imported lock file."""

    MADE = "made"
    UNCHANGED = "unchanged"
    INCOMPLETE = "incomplete"


class GateKind(StrEnum):
    """The kind of a gate."""

    ENVIRONMENTS = "environments"
    POLICY = "policy"
    APPROVAL = "approval"


class GateAction(StrEnum):
    """What a gate does if it does not pass."""

    BLOCK = "block"
    WARN = "warn"


class GateVerdict(StrEnum):
    """The result of a gate."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"
    WAITING = "waiting"


class SolverVerdict(StrEnum):
    """The result of the solver for an environment on a platform."""

    SOLVED = "solved"
    UNSOLVABLE = "unsolvable"
    UNKNOWN = "unknown"


class WebhookEvent(StrEnum):
    """The event in a message to a webhook."""

    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"
    GATE_FAILED = "gate_failed"
    APPROVAL_WANTED = "approval_wanted"
    BLOCKED = "blocked"
    UNBLOCKED = "unblocked"


class DeliveryState(StrEnum):
    """The state of a message to a webhook."""

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
    """The file formats of environments."""

    ENVIRONMENT_YML = "environment.yml"
    PIXI = "pixi.toml"
    PYPROJECT = "pyproject.toml"
    SPECS = "specs"


class LockFormat(StrEnum):
    """The formats of lock files."""

    PIXI = "pixi"
    CONDA_LOCK = "conda-lock"
    EXPLICIT = "explicit"


class RepodataForm(StrEnum):
    """The forms in which a sync reads the repodata of an upstream."""

    AUTO = "auto"
    SHARDS = "shards"
    FLAT = "flat"


class OnError(StrEnum):
    """What a sync does about package files that it cannot download."""

    FAIL = "fail"
    SKIP = "skip"


def values_of(words: type[StrEnum]) -> list[str]:
    """Return the values of an enumeration as plain texts."""
    return [word.value for word in words]


class TokenScope(StrEnum):
    """What a token is for."""

    READ = "read"
    UPLOAD = "upload"
    PROMOTE = "promote"
