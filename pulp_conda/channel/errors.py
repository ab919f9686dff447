"""Every way a package, a record or a channel can be wrong.

    ChannelError
    ├── LayoutError             a path, a file name or a part of one breaks CEP 26
    │   ├── BadPackageName          CND0001
    │   ├── BadSubdir               CND0013
    │   └── BadChannelName          CND0019
    ├── PackageError            a package file
    │   ├── MissingMetadata         CND0002
    │   ├── UnreadablePackage       CND0003
    │   ├── BadIndexJson            CND0005
    │   ├── PackageMismatch         CND0006
    │   ├── UnsafeMember            CND0010
    │   ├── PackageTooLarge         CND0011
    │   ├── MissingSubdir           CND0021
    │   └── DownloadFailed          CND0024
    ├── BadMatchSpec                CND0007
    ├── UpstreamError           a channel that we mirror
    │   ├── UpstreamStatus          CND0004
    │   ├── BadRecord               CND0008
    │   ├── BadRepodata             CND0014
    │   ├── WrongSubdir             CND0015
    │   ├── UpstreamUnreachable     CND0016
    │   ├── DigestMismatch          CND0017
    │   ├── RepodataTooLarge        CND0022
    │   ├── EmptyUpstream           CND0023
    │   ├── BadUpstreamUrl          CND0025
    │   ├── BadShardIndex           CND0026
    │   ├── BadShard                CND0027
    │   ├── BadUpstreamFile         CND0028
    │   └── BadSidecar              CND0029
    ├── BadPatch                CND0030
    ├── BadAttestation          CND0031
    ├── BadNotice               CND0032
    ├── BadChannelRelations     CND0033
    ├── BadEnvironment          CND0045
    ├── BadLockFile             CND0050
    ├── BadMoment               CND0058
    ├── FutureMoment            CND0059
    ├── ChannelConflict         a package that does not fit the channel it is put in
    │   ├── PackageConflict         CND0018
    │   ├── DuplicateFilename       CND0020
    │   └── PatchWithoutPackage     CND0034
    └── LifecycleError          the stages of a channel
        ├── StageServesNothing      CND0035
        ├── UnknownState            CND0036
        ├── WrongOrder              CND0037
        ├── StateGone               CND0038
        ├── ManagedByLifecycle      CND0039
        ├── BadLifecycle            CND0040
        ├── BadGate                 CND0041
        ├── OwnRequest              CND0042
        ├── ProtectedState          CND0043
        ├── NothingWaits            CND0044
        ├── NotSolved               CND0047
        ├── UnknownEnvironment      CND0048
        ├── BadPolicy               CND0055
        ├── NothingToPromote        CND0056
        ├── NoHistory               CND0060
        ├── BadWebhook              CND0061
        ├── UnknownReference        CND0062
        └── UsedByLifecycle         CND0063

An error is a sentence and the facts in it: tests and programs compare `error.facts`, people read `str(error)`.
Codes are never reused; `docs/user/reference/errors.md` has a paragraph for each.
"""

import re
from gettext import gettext as _

_PASSWORD = re.compile(r"(?<=:)(?<!//:)[^/@\s:]+(?=@)")
_TOKEN = re.compile(r"(?<=/t/)[^/\s'\"]+(?=/)")


class ChannelError(Exception):
    """Base of all errors of this package: a stable code, a message, and the facts named in it."""

    code = None
    message = None

    def __init__(self, **facts):
        super().__init__(facts)
        self.facts = facts
        self.where = None

    def at(self, where):
        """Say where it happened, in words that lead the message: ``Remote 'forge'``."""
        self.where = where
        return self

    @property
    def text(self):
        """The message without the code, printable whatever the facts are."""
        facts = {key: shown(str(value), longest=1000) for key, value in self.facts.items()}
        text = self.message.format(**facts)
        return f"{self.where}: {text}" if self.where else text

    def __str__(self):
        return f"[{self.code}] {self.text}"


class LayoutError(ChannelError):
    """A path, a file name or a part of one breaks CEP 26."""


class BadPackageName(LayoutError):
    """The file name does not say which package it is."""

    code = "CND0001"
    message = _(
        "'{filename}' is not a conda package file name: {reason}. "
        "Expected '<name>-<version>-<build>' and '.conda' or '.tar.bz2' (CEP 26). "
        "Rename what is wrong in the recipe and build the package again."
    )


class BadSubdir(LayoutError):
    """The platform folder is neither ``noarch`` nor of the form ``linux-64``."""

    code = "CND0013"
    message = _(
        "'{subdir}' is not a conda subdir. Expected 'noarch' or '<platform>-<architecture>' in "
        "lower case, at most 32 characters, for example 'linux-64'."
    )


class BadChannelName(LayoutError):
    """The base path of a distribution cannot be a channel URL."""

    code = "CND0019"
    message = _(
        "'{name}' cannot be a channel: {reason}. "
        "Use lower case letters, digits, '_', '.' and '-' between slashes, for example 'team/stable'."
    )


class PackageError(ChannelError):
    """A package file that cannot be taken."""


class MissingMetadata(PackageError):
    """There is no ``info/index.json``, or no component of a ``.conda`` file that holds it."""

    code = "CND0002"
    message = _(
        "'{filename}' has no '{member}'. The file may be cut short or renamed: "
        "compare its size and name with what was built, and upload it again."
    )


class UnreadablePackage(PackageError):
    """The bytes are not a whole archive of the format that they should have."""

    code = "CND0003"
    message = _(
        "'{filename}' cannot be read: {reason}. The file is damaged, cut short or no conda package: "
        "compare its sha256 with what was built, and upload it again."
    )


class BadIndexJson(PackageError):
    """``info/index.json`` is not a JSON object, or a field of it has no usable value."""

    code = "CND0005"
    message = _(
        "'info/index.json' of '{filename}' is wrong: {reason}. Fix the recipe and build again."
    )


class PackageMismatch(PackageError):
    """What ``info/index.json`` says is not what the file name or the caller says."""

    code = "CND0006"
    message = _(
        "'{filename}' is not the package that it holds: {reason}. "
        "Upload the file under the name it was built with."
    )


class UnsafeMember(PackageError):
    """A member of the archive would be written outside the package, or is no plain file."""

    code = "CND0010"
    message = _(
        "'{filename}' has the member '{member}', which {reason}. "
        "No build tool makes such a package: find out where the file comes from before you use it."
    )


class PackageTooLarge(PackageError):
    """Unpacking would need more than the limits allow."""

    code = "CND0011"
    message = _(
        "'{filename}' exceeds a limit: {reason}. If the package is meant to be that large, "
        "an administrator can raise '{setting}'."
    )


class MissingSubdir(PackageError):
    """Neither ``info/index.json`` nor the caller says for which platform the package is."""

    code = "CND0021"
    message = _(
        "'info/index.json' of '{filename}' names no subdir. "
        "State it with the upload, for example 'subdir=linux-64'."
    )


class DownloadFailed(PackageError):
    """The URL of a package that was to be uploaded gave nothing."""

    code = "CND0024"
    message = _(
        "'{url}' cannot be downloaded: {reason}. Check the URL and 'downloader_config', "
        "and that this server may connect to it."
    )


class BadMatchSpec(ChannelError):
    """A query for packages does not parse (CEP 29)."""

    code = "CND0007"
    message = _(
        "'{spec}' is not a match spec: {reason}. "
        "Write a name and constraints, for example 'numpy >=1.26,<3'."
    )


class UpstreamError(ChannelError):
    """A channel that we mirror does not answer as a channel should."""


class UpstreamStatus(UpstreamError):
    """The upstream answered with an HTTP error."""

    code = "CND0004"
    message = _("'{url}' answered {status}. {advice}")

    ADVICE = {
        401: _("Set the remote's username and password, or its token."),
        403: _(
            "The remote's username, password or token does not allow it, or the channel forbids mirrors."
        ),
        404: _(
            "Give the URL that stands before the subdir, and name only subdirs that the channel has."
        ),
        429: _(
            "The upstream limits how often it answers: set the remote's 'rate_limit', or sync later."
        ),
    }

    def __init__(self, url, status):
        advice = self.ADVICE.get(status)
        if advice is None:
            advice = _("The upstream is in trouble: sync again later.")
        super().__init__(url=mask(url), status=status, advice=advice)


class BadRecord(UpstreamError):
    """A record of the upstream's repodata cannot be served on."""

    code = "CND0008"
    message = _(
        "the record of '{filename}' in '{url}' is wrong: {reason}. "
        "Tell the channel's owner, or leave the package out with the remote's 'excludes'."
    )


class BadRepodata(UpstreamError):
    """The upstream's repodata is not a whole JSON document of the known shape."""

    code = "CND0014"
    message = _(
        "'{url}' is not repodata: {reason}. "
        "Open the URL to see what the upstream answers; if it is a channel, sync again later."
    )


class WrongSubdir(UpstreamError):
    """``info.subdir`` names another platform than the URL."""

    code = "CND0015"
    message = _(
        "'{url}' says that it is for subdir '{found}', not '{subdir}'. "
        "Check that the remote's URL ends before the subdir."
    )


class UpstreamUnreachable(UpstreamError):
    """No HTTP answer at all."""

    code = "CND0016"
    message = _(
        "'{url}' cannot be reached: {reason}. "
        "Check the remote's URL, proxy and TLS settings, and that this server may connect to it."
    )


class DigestMismatch(UpstreamError):
    """Downloaded bytes are not those that the record promises."""

    code = "CND0017"
    message = _(
        "'{url}' has other bytes than its record says: {reason}. Nothing of it was kept. "
        "The channel may have changed during the sync: run it again."
    )


class RepodataTooLarge(UpstreamError):
    """Metadata of the upstream is larger than the limit."""

    code = "CND0022"
    message = _(
        "'{url}' is larger than {limit} bytes. If the channel is meant to be that large, "
        "an administrator can raise '{setting}'."
    )


class EmptyUpstream(UpstreamError):
    """The URL has none of the subdirs that were asked for."""

    code = "CND0023"
    message = _(
        "'{url}' has no repodata in any known subdir. Give the URL that stands before the subdir, "
        "or name the channel's subdirs in the remote's 'subdirs'."
    )


class BadUpstreamUrl(UpstreamError):
    """The URL of a remote can be no channel."""

    code = "CND0025"
    message = _(
        "'{url}' is not the URL of a channel: {reason}. "
        "Give what stands before the subdir, for example 'https://conda.anaconda.org/conda-forge'."
    )


class BadShardIndex(UpstreamError):
    """The list of an upstream's shards is not of the shape that CEP 16 gives it."""

    code = "CND0026"
    message = _(
        "'{url}' is not a shard index: {reason}. "
        "Tell the channel's owner, or sync again later; what was served before stays."
    )


class BadShard(UpstreamError):
    """A shard has other bytes than the index says, or is no map of records."""

    code = "CND0027"
    message = _(
        "'{url}', the shard of '{name}', is wrong: {reason}. "
        "The channel may have changed during the sync: run it again."
    )


class BadUpstreamFile(UpstreamError):
    """A file that stands beside the repodata, run_exports.json or channeldata.json, cannot be read."""

    code = "CND0028"
    message = _(
        "'{url}' cannot be used: {reason}. Tell the channel's owner, or sync again later; "
        "what was served before stays."
    )


class BadSidecar(UpstreamError):
    """The attestations of a package are not those that its record promises (CEP 50)."""

    code = "CND0029"
    message = _(
        "'{url}' does not hold the attestations of the package: {reason}. Nothing of it was kept. "
        "Sync again later, or leave the package out with the remote's 'excludes'."
    )


class BadPatch(ChannelError):
    """Patch instructions that no repodata could follow."""

    code = "CND0030"
    message = _(
        "the patch is wrong: {reason}. "
        "Write it as conda's 'patch_instructions.json' has it, for example "
        "{{'packages.conda': {{'numpy-2.0-0.conda': {{'depends': ['python >=3.12']}}}}}}."
    )


class BadAttestation(ChannelError):
    """A statement about a package is not signed, or is about something else (CEP 27)."""

    code = "CND0031"
    message = _(
        "the attestation of '{filename}' is refused: {reason}. "
        "Sign the file that you upload, for the channel that you upload it to."
    )


class BadNotice(ChannelError):
    """A notice that clients could not show (CEP 6)."""

    code = "CND0032"
    message = _(
        "the notice is wrong: {reason}. Give 'message', 'level' (info, warning or critical) and "
        "'expires_at', for example '2027-01-31T00:00:00Z'."
    )


class BadChannelRelations(ChannelError):
    """References to other channels that clients could not follow (CEP 42)."""

    code = "CND0033"
    message = _(
        "the channel relations are wrong: {reason}. "
        "Give 'base', 'overrides' or both as relative paths, for example {{'base': '../conda-forge'}}."
    )


class BadEnvironment(ChannelError):
    """What should say what somebody wants to install does not (CEP 24)."""

    code = "CND0045"
    message = _(
        "the environment is wrong: {reason}. "
        "Correct the file, or give what to install as a list, one match spec a line."
    )


class BadLockFile(ChannelError):
    """A lock file that cannot be read."""

    code = "CND0050"
    message = _(
        "the lock file ({format}) cannot be read: {reason}. "
        "Write it again with pixi, conda-lock or 'conda list --explicit', and do not edit it."
    )


class BadMoment(ChannelError):
    """What should say which state of a channel is meant does not."""

    code = "CND0058"
    message = _(
        "'{text}' names no state of a channel: {reason}. Write '2026-03-03' for the end of a day in UTC, "
        "'2026-03-03T12:00:00Z' for a moment, or 'v42' for a version."
    )


class FutureMoment(ChannelError):
    """A moment that has not come yet."""

    code = "CND0059"
    message = _(
        "'{text}' is in the future: it is {now} now. Name a day or a moment of the past, or none for what is newest."
    )


class ChannelConflict(ChannelError):
    """A package does not fit the channel it is put in."""


class PackageConflict(ChannelConflict):
    """The channel already has another file under that name (lock files would break)."""

    code = "CND0018"
    message = _(
        "'{path}' is already in repository '{repository}' with other bytes (sha256 {found}, not {sha256}). "
        "Give the new build another build number, or ask for replacement with 'overwrite=true'."
    )


class DuplicateFilename(ChannelConflict):
    """A version would have two records for one file name."""

    code = "CND0020"
    message = _(
        "'{path}' would be in repository '{repository}' {count} times. "
        "Add one record per file name and subdir."
    )


class PatchWithoutPackage(ChannelConflict):
    """A patch is put into a channel that has nothing to be patched by it."""

    code = "CND0034"
    message = _(
        "the patch names '{path}', which is not in repository '{repository}'. "
        "Correct the file name, or add the package first."
    )


class LifecycleError(ChannelError):
    """Something that the stages of a channel do not allow."""


class StageServesNothing(LifecycleError):
    """A stage was to be promoted that has nothing yet."""

    code = "CND0035"
    message = _(
        "Stage '{stage}' of lifecycle '{lifecycle}' serves nothing yet. Publish a version of its repository, or "
        "promote to '{stage}' first."
    )


class UnknownState(LifecycleError):
    """The history of a stage has no such state."""

    code = "CND0036"
    message = _(
        "Stage '{stage}' of lifecycle '{lifecycle}' has no state '{state}': {reason}. Its history lists what it "
        "served, and when."
    )


class WrongOrder(LifecycleError):
    """A promotion against the order of the stages."""

    code = "CND0037"
    message = _(
        "Lifecycle '{lifecycle}' does not go from '{source}' to '{stage}': its order is {order}. To take something "
        "back, roll the stage back."
    )


class StateGone(LifecycleError):
    """The publication of a state was deleted."""

    code = "CND0038"
    message = _(
        "The publication of {state}, to which stage '{stage}' was to move, is deleted. Choose a state that the "
        "history still keeps, or publish the version again and promote that."
    )


class ManagedByLifecycle(LifecycleError):
    """A distribution was to serve something else although it is a stage."""

    code = "CND0039"
    message = _(
        "Distribution '{distribution}' is the stage '{stage}' of lifecycle '{lifecycle}', which says what it serves. "
        "Promote to the stage, or roll it back; its other fields can be changed here."
    )


class BadLifecycle(LifecycleError):
    """The stages of a lifecycle cannot be as they were asked for."""

    code = "CND0040"
    message = _("The stages cannot be like this: {reason}.")


class BadGate(LifecycleError):
    """A gate of a stage has something that gates do not have."""

    code = "CND0041"
    message = _("Gate '{gate}' of stage '{stage}' is wrong: {reason}.")


class OwnRequest(LifecycleError):
    """Somebody wanted to approve what they asked for themselves."""

    code = "CND0042"
    message = _(
        "'{user}' asked for entry {number} of lifecycle '{lifecycle}', so somebody else has to answer. Ask a person "
        "with the role 'conda.condalifecycle_approver'."
    )


class ProtectedState(LifecycleError):
    """A publication was to be deleted that a stage serves, or keeps for those who want to go back."""

    code = "CND0043"
    message = _(
        "Stage '{stage}' of lifecycle '{lifecycle}' serves this publication, or keeps it in its history, so it is "
        "not deleted. 'retain_days' of the lifecycle says how long history is kept."
    )


class NothingWaits(LifecycleError):
    """An answer to a request that is not open."""

    code = "CND0044"
    message = _(
        "Entry {number} of lifecycle '{lifecycle}' does not wait for an answer: it is {outcome}."
    )


class NotSolved(LifecycleError):
    """A lock file was asked for, and there is no solution that it could be written from."""

    code = "CND0047"
    message = _(
        "Environment '{environment}' has no lock file in {state} of stage '{stage}': {reason}. {remedy}"
    )


class UnknownEnvironment(LifecycleError):
    """What a stage serves has no environment of this name."""

    code = "CND0048"
    message = _(
        "{state} of stage '{stage}' has no environment '{environment}', but {names}. Name one of these, or register it "
        "in the repository, publish, and promote that."
    )


class BadPolicy(LifecycleError):
    """The options of a gate of kind `policy` are none that packages could be judged by."""

    code = "CND0055"
    message = _(
        "the policy of gate '{gate}' is wrong: {reason}. A policy has one or more of 'minimum_age', 'licenses', "
        "'blocked', 'required' and 'dependencies', for example {{'minimum_age': {{'days': 7}}}}."
    )


class NothingToPromote(LifecycleError):
    """Single packages were to be promoted, and a spec names none that there are."""

    code = "CND0056"
    message = _(
        "no package matches {specs}. Compare the specs with the packages of the version that they are taken from."
    )


class NoHistory(LifecycleError):
    """A channel was asked for its past, and nobody notes what it serves."""

    code = "CND0060"
    message = _(
        "'{distribution}' has no past that could be read at '{moment}': it is no stage of a lifecycle. Take the URL "
        "without what stands behind the '@', or make the channel a stage, which keeps a history from then on."
    )


class BadWebhook(LifecycleError):
    """What a lifecycle should tell its news to, or sign them with, is of no use."""

    code = "CND0061"
    message = _(
        "the {what} of the webhook is wrong: {reason}. Correct it, or give null to go without."
    )


class UnknownReference(LifecycleError):
    """A side of a comparison that is no state of the channel."""

    code = "CND0062"
    message = _(
        "'{text}' means no state of lifecycle '{lifecycle}': {reason}. Write a stage, 'stable', what it served, "
        "'stable@v42' or 'stable@2026-03-03', a version, 'v42', or the href of a publication."
    )


class UsedByLifecycle(LifecycleError):
    """Something was to be deleted that a lifecycle is made of."""

    code = "CND0063"
    message = _(
        "'{name}' belongs to lifecycle '{lifecycle}', so it is not deleted. Delete the lifecycle first, which leaves "
        "its distributions and repositories."
    )


def shown(text, longest=200):
    """Return a stranger's text as one printable line of reasonable length."""
    text = text if len(text) <= longest else f"{text[:longest]}…"
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def listed(problems, most=10):
    """Return what is wrong as one text that has no more than the first of very many."""
    more = [f"and {len(problems) - most} more"] if len(problems) > most else []
    return "; ".join([*problems[:most], *more])


def mask(text):
    """Hide the secrets of all URLs in a text: ``https://user:***@host/t/***/channel``."""
    return _TOKEN.sub("***", _PASSWORD.sub("***", text))
