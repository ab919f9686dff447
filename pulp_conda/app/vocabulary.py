"""The words of the API: every field that has one of a few values, and the values.

Sets of words that belong to channels are in `pulp_conda.channel`: the kinds of changes in `diff`,
the formats of environments in `environments.specs`, and the formats of lock files in
`lockfiles.read`. The command line and the Ansible modules know the same words from
`pulp_glue.conda.vocabulary`.
"""

from enum import StrEnum


class ActVerb(StrEnum):
    """What somebody did to an object.

    `changed_content`: a repository got a new version. `moved`: a stage serves another state, or a
    request for that was answered. `granted`, `revoked`: a role for an object.
    `minted`: a workflow that a publisher expects got a token to upload.
    """

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
    """What became of an uploaded file.

    `held`: more files of its batch are to come. `converting`: it is made of a `.tar.bz2` that
    somebody uploaded. `waiting`: nobody looked at it yet. `published`: clients can install it.
    `exists`: the channel had the same bytes. `conflict`: the channel has other bytes under that
    name. `refused`: it is no package that the channel may have.
    """

    HELD = "held"
    CONVERTING = "converting"
    WAITING = "waiting"
    PUBLISHED = "published"
    EXISTS = "exists"
    CONFLICT = "conflict"
    REFUSED = "refused"


class ChannelRole(StrEnum):
    """What a member of a team does with a channel.

    `uploader`: adds packages, which the first stage serves. `promoter`: moves the stages.
    `approver`: answers requests for approval.
    """

    READER = "reader"
    UPLOADER = "uploader"
    PROMOTER = "promoter"
    APPROVER = "approver"
    OWNER = "owner"


class EntryKind(StrEnum):
    """What an entry of the history is about.

    `adopted`: the distribution of a new stage served a publication already. `published`: the first
    stage follows its repository. `packages`: a promotion of single packages. `blocked`: the state
    was published again without packages that were blocked. `unblocked`: the same with packages
    that are not blocked any more.
    """

    ADOPTED = "adopted"
    PUBLISHED = "published"
    PROMOTED = "promoted"
    PACKAGES = "packages"
    ROLLED_BACK = "rolled_back"
    BLOCKED = "blocked"
    UNBLOCKED = "unblocked"


class EntryOutcome(StrEnum):
    """What happened to an entry of the history. `superseded`: another move came first."""

    MOVED = "moved"
    BLOCKED = "blocked"
    WAITING = "waiting"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"


class MoveOutcome(StrEnum):
    """What the report of a move says. `unchanged`: the stage serves that state already."""

    MOVED = "moved"
    BLOCKED = "blocked"
    WAITING = "waiting"
    UNCHANGED = "unchanged"


class VersionOutcome(StrEnum):
    """What the report of a task says that makes a version. `incomplete`: packages are missing."""

    MADE = "made"
    UNCHANGED = "unchanged"
    INCOMPLETE = "incomplete"


class GateKind(StrEnum):
    """What a gate asks."""

    ENVIRONMENTS = "environments"
    POLICY = "policy"
    APPROVAL = "approval"


class GateAction(StrEnum):
    """What a gate does if it does not pass: `warn` lets the stage move."""

    BLOCK = "block"
    WARN = "warn"


class GateVerdict(StrEnum):
    """What a gate says. `unknown`: it could not find out. `waiting`: people have to answer."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"
    WAITING = "waiting"


class SolverVerdict(StrEnum):
    """What the solver says. `unknown`: it reached a limit or did not work."""

    SOLVED = "solved"
    UNSOLVABLE = "unsolvable"
    UNKNOWN = "unknown"


class WebhookEvent(StrEnum):
    """What a message to a webhook is about."""

    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"
    GATE_FAILED = "gate_failed"
    APPROVAL_WANTED = "approval_wanted"
    BLOCKED = "blocked"
    UNBLOCKED = "unblocked"


class DeliveryState(StrEnum):
    """What happened to a message to a webhook. `failed`: it is not tried again."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class RepodataForm(StrEnum):
    """In which form a sync reads the repodata of an upstream.

    `shards`: the shard index and its shards (CEP 16). `flat`: one file for a subdir, which is
    `repodata.json` or zstd of it. `auto`: the shards, and where they cannot be used, the flat form.
    """

    AUTO = "auto"
    SHARDS = "shards"
    FLAT = "flat"


class OnError(StrEnum):
    """What a sync does about package files that it cannot download. `skip`: it leaves them out."""

    FAIL = "fail"
    SKIP = "skip"


class RunOutcome(StrEnum):
    """What became of a run of a refresh.

    `running`: its task waits or runs. `changed`: the channel has a new version. `skipped`: another
    sync of the channel waited or ran. `stopped`: the user who set the refresh may not sync the
    channel any more.
    """

    RUNNING = "running"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    SKIPPED = "skipped"
    STOPPED = "stopped"


class TokenScope(StrEnum):
    """What a token is for.

    `read`: to read channels, by their URLs in the content app. `upload`: to upload packages to
    channels. `promote`: to promote between the stages of lifecycles.
    """

    READ = "read"
    UPLOAD = "upload"
    PROMOTE = "promote"


def choices_of(words: type[StrEnum]) -> list[tuple[str, str]]:
    """Return words as the choices of a field: Django's own `TextChoices` has no types."""
    return [(word.value, word.value) for word in words]


# For the setting that names the enums of the OpenAPI schema.
ENTRY_OUTCOMES = choices_of(EntryOutcome)
RUN_OUTCOMES = choices_of(RunOutcome)
ENTRY_KINDS = choices_of(EntryKind)
GATE_ACTIONS = choices_of(GateAction)
GATE_VERDICTS = choices_of(GateVerdict)
