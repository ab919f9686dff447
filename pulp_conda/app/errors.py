"""Every way in which repositories and lifecycles refuse something: the errors with Pulp's words.

    ChannelError
    ├── ChannelConflict         a package that does not fit the repository it is put in
    │   ├── PackageConflict         CND0018
    │   ├── DuplicateFilename       CND0020
    │   ├── PatchWithoutPackage     CND0034
    │   └── BlockedPackage          CND0070
    ├── LifecycleError          the stages of a lifecycle
    │   ├── StageServesNothing      CND0035
    │   ├── UnknownState            CND0036
    │   ├── WrongOrder              CND0037
    │   ├── StateGone               CND0038
    │   ├── ManagedByLifecycle      CND0039
    │   ├── BadLifecycle            CND0040
    │   ├── BadGate                 CND0041
    │   ├── OwnRequest              CND0042
    │   ├── ProtectedState          CND0043
    │   ├── NothingWaits            CND0044
    │   ├── NotSolved               CND0047
    │   ├── UnknownEnvironment      CND0048
    │   ├── NoHistory               CND0060
    │   ├── UnknownReference        CND0062
    │   ├── UsedByLifecycle         CND0063
    │   ├── BehindBlock             CND0071
    │   └── MayNotPromoteSo         CND0194
    ├── UploadError             a file that a client sends to a channel
    │   ├── TakesNoUploads          CND0100
    │   ├── MayNotUpload            CND0101
    │   ├── WrongDigest             CND0102
    │   ├── UploadFailed            CND0103
    │   └── UnknownFile             CND0104
    ├── BadResult               CND0066
    ├── NotConverted            CND0068
    ├── NotDownloaded           CND0072
    ├── BadOrigin               CND0073
    ├── NamesMissing            CND0077
    ├── MassRemoval             CND0087
    ├── NotPrivateByFlag        CND0095
    ├── NotPrivateTogether      CND0138
    ├── ContentGuardInUse       CND0096
    ├── ExportWithoutShards     CND0097
    ├── NotAllManaged           CND0114
    ├── NeedsLifecycle          CND0115
    ├── TrustError              trusted publishing
    │   ├── BadIdentityToken        CND0116
    │   ├── NoPublisher             CND0117
    │   ├── KeysUnavailable         CND0118
    │   └── BadPublisher            CND0119
    ├── DiskFull                CND0080
    ├── CredentialsError        who a request comes from
    │   ├── WrongToken              CND0090
    │   ├── TokenNotForThis         CND0091
    │   ├── TooManyFailures         CND0092
    │   └── TokenRevoked            CND0093
    ├── DoorError               an upload by a tool
    │   ├── UnknownChannel          CND0107
    │   ├── FromBrowser             CND0108
    │   ├── TakenAlias              CND0109
    │   ├── BadUpload               CND0110
    │   ├── MayNotRemove            CND0111
    │   ├── NothingToRemove         CND0112
    │   └── NotServedYet            CND0113
    ├── NoSuchEnvironment       CND0130
    ├── NotPublished            CND0131
    ├── VirtualChannelError     several channels that are served as one
    │   ├── NothingToExport         CND0083
    │   ├── BadVirtualChannel       CND0133
    │   ├── TakesNoContent          CND0134
    │   ├── UsedByVirtualChannel    CND0135
    │   ├── NotMerged               CND0136
    │   └── NeedsContentGuard       CND0137
    ├── PlatformNotMirrored     CND0145
    ├── NoSelection             CND0146
    ├── NoSuchBaseChannel       CND0147
    ├── BaseChannelCycle        CND0148
    ├── RefreshError            a channel that is refreshed again and again
    │   ├── NothingToRefresh        CND0151
    │   ├── RefreshStopped          CND0152
    │   ├── RunLost                 CND0153
    │   ├── BadPromotion            CND0154
    │   ├── NotSyncedYet            CND0155
    │   └── Offline                 CND0156
    ├── FilterNeedsName         CND0158
    ├── BadVersion              CND0159
    ├── DatabaseAway            CND0160
    ├── NotMigrated             CND0161
    ├── StageMoved              CND0162
    ├── ReplicatedInPart        CND0173
    └── ReplicaNotFree          CND0174

All other errors, and what an error is, are in `pulp_conda.channel.errors`.
"""

from gettext import gettext as _

from pulp_conda.channel.errors import ChannelError


class ChannelConflict(ChannelError):
    """A package does not fit the repository that it is put in."""


class PackageConflict(ChannelConflict):
    """The repository already has another file of that name. Lock files with it would break."""

    code = "CND0018"
    message = _(
        "'{path}' is already in repository '{repository}' with other bytes "
        "(sha256 {found}, not {sha256}). Give the new build another build number, "
        "or ask for replacement with 'overwrite=true'."
    )


class DuplicateFilename(ChannelConflict):
    """A version would have two records for one file name."""

    code = "CND0020"
    message = _(
        "'{path}' would be in repository '{repository}' {count} times. "
        "Add one record per file name and subdir."
    )


class PatchWithoutPackage(ChannelConflict):
    """A patch is added to a repository that has none of the packages that it changes."""

    code = "CND0034"
    message = _(
        "the patch names '{path}', which is not in repository '{repository}'. "
        "Correct the file name, or add the package first."
    )


class BlockedPackage(ChannelConflict):
    """A package is blocked on this server, and somebody wants to add or promote it."""

    code = "CND0070"
    message = _(
        "'{path}' is blocked on this server: {reason}. "
        "Leave it out, or ask the administrator whether the block can be lifted."
    )


class LifecycleError(ChannelError):
    """A lifecycle or one of its stages does not allow something."""


class StageServesNothing(LifecycleError):
    """A promotion takes from a stage that has not served anything yet."""

    code = "CND0035"
    message = _(
        "Stage '{stage}' of lifecycle '{lifecycle}' serves nothing yet. "
        "Publish a version of its repository, or promote to '{stage}' first."
    )


class UnknownState(LifecycleError):
    """A state is named that is not in the history of the stage."""

    code = "CND0036"
    message = _(
        "Stage '{stage}' of lifecycle '{lifecycle}' has no state '{state}': {reason}. "
        "Its history lists what it served, and when."
    )


class WrongOrder(LifecycleError):
    """A promotion goes against the order of the stages."""

    code = "CND0037"
    message = _(
        "Lifecycle '{lifecycle}' does not go from '{source}' to '{stage}': its order is {order}. "
        "To take something back, roll the stage back."
    )


class StateGone(LifecycleError):
    """A stage was to serve a state whose publication is deleted."""

    code = "CND0038"
    message = _(
        "The publication of {state}, to which stage '{stage}' was to move, is deleted. "
        "Choose a state that the history still keeps, "
        "or publish the version again and promote that."
    )


class ManagedByLifecycle(LifecycleError):
    """Somebody wanted to change what a distribution serves, and it is a stage of a lifecycle."""

    code = "CND0039"
    message = _(
        "Distribution '{distribution}' is the stage '{stage}' of lifecycle '{lifecycle}', "
        "which says what it serves. "
        "Promote to the stage, or roll it back; its other fields can be changed here."
    )


class BadLifecycle(LifecycleError):
    """The list of stages of a lifecycle is wrong."""

    code = "CND0040"
    message = _("The stages cannot be like this: {reason}.")


class BadGate(LifecycleError):
    """A gate of a stage has a wrong option or name."""

    code = "CND0041"
    message = _("Gate '{gate}' of stage '{stage}' is wrong: {reason}.")


class OwnRequest(LifecycleError):
    """Somebody wanted to answer their own request for approval."""

    code = "CND0042"
    message = _(
        "'{user}' asked for entry {number} of lifecycle '{lifecycle}', "
        "so somebody else has to answer. "
        "Ask a person with the role 'conda.condalifecycle_approver'."
    )


class ProtectedState(LifecycleError):
    """A publication was to be deleted that a stage serves or keeps in its history."""

    code = "CND0043"
    message = _(
        "Stage '{stage}' of lifecycle '{lifecycle}' serves this publication, or keeps it in its "
        "history, so it is not deleted. "
        "'retain_days' of the lifecycle says how long history is kept."
    )


class NothingWaits(LifecycleError):
    """Somebody wanted to answer a request for approval that is not open."""

    code = "CND0044"
    message = _(
        "Entry {number} of lifecycle '{lifecycle}' does not wait for an answer: it is {outcome}."
    )


class NotSolved(LifecycleError):
    """A lock file of an environment was asked for that is not solved."""

    code = "CND0047"
    message = _(
        "Environment '{environment}' has no lock file in {state} of stage '{stage}': "
        "{reason}. {remedy}"
    )


class UnknownEnvironment(LifecycleError):
    """The version that a stage serves has no environment of this name."""

    code = "CND0048"
    message = _(
        "{state} of stage '{stage}' has no environment '{environment}', but {names}. "
        "Name one of these, or register it in the repository, publish, and promote that."
    )


class NoHistory(LifecycleError):
    """A channel was asked for its past, and it is no stage of a lifecycle."""

    code = "CND0060"
    message = _(
        "'{distribution}' has no history: it is no stage of a lifecycle. "
        "Take the URL of the channel as it is now, or make the channel a stage with "
        "'pulp conda lifecycle create', which keeps a history from then on."
    )


class UnknownReference(LifecycleError):
    """A side of a comparison names no state of the lifecycle."""

    code = "CND0062"
    message = _(
        "'{text}' means no state of lifecycle '{lifecycle}': {reason}. "
        "Write a stage, 'stable', what it served, 'stable/at/v42' or 'stable/at/2026-03-03', "
        "a version, 'v42', or the href of a publication."
    )


class UsedByLifecycle(LifecycleError):
    """A distribution or a repository was to be deleted that belongs to a lifecycle."""

    code = "CND0063"
    message = _(
        "'{name}' belongs to lifecycle '{lifecycle}', so it is not deleted. "
        "Delete the lifecycle first, which leaves its distributions and repositories."
    )


class BehindBlock(LifecycleError):
    """A stage was to be rolled back to a state from before a block."""

    code = "CND0071"
    message = _(
        "Stage '{stage}' of lifecycle '{lifecycle}' is not rolled back behind entry {number} of "
        "its history, by which packages were blocked: earlier states may list them. "
        "Promote a state that has none of them, or lift the block first."
    )


class MayNotPromoteSo(LifecycleError):
    """A user may promote, but not in the way that was asked for."""

    code = "CND0194"
    message = _(
        "'{user}' may promote in lifecycle '{lifecycle}', but may not {action}: the permission "
        "'{permission}' is missing. Ask the owner of the lifecycle, or {advice}."
    )


class UploadError(ChannelError):
    """A channel does not take a file from a client."""


class TakesNoUploads(UploadError):
    """No file can be added to what a distribution serves."""

    code = "CND0100"
    message = _("Channel '{channel}' takes no uploads: {reason}. {advice}")


class MayNotUpload(UploadError):
    """A user may not add packages to the repository of a channel."""

    code = "CND0101"
    message = _(
        "'{user}' may not upload to channel '{channel}': {reason}. "
        "Ask the owner of repository '{repository}' for that."
    )


class WrongDigest(UploadError):
    """A file arrived with other bytes than the client said."""

    code = "CND0102"
    message = _(
        "'{filename}' arrived with the {algorithm} '{found}', and the client said '{expected}'. "
        "Nothing of it is stored: upload it again."
    )


class UploadFailed(UploadError):
    """A file was accepted, and the server could not handle it."""

    code = "CND0103"
    message = _(
        "'{filename}' could not be added to the channel: {reason}. "
        "Upload it again, and tell an administrator if that does not help."
    )


class UnknownFile(UploadError):
    """A client names a file by its digest, and did not send it."""

    code = "CND0104"
    message = _(
        "'{filename}' is named with the sha256 '{sha256}', and no such file is here that you may "
        "use. Send the file."
    )


class BadResult(ChannelError):
    """What a task has to say of its work cannot be stored."""

    code = "CND0066"
    message = _(
        "the result of the task cannot be stored: {reason}. Nothing was changed. "
        "Tell the maintainers of pulp_conda what the task was asked for."
    )


class NotConverted(ChannelError):
    """A package that is there as `.tar.bz2` is not also there as `.conda`."""

    code = "CND0068"
    message = _(
        "'{path}' cannot be had as '.conda': {reason}. The '.tar.bz2' is served as before. "
        "To try again, convert it with 'pulp conda channel convert'."
    )


class NotDownloaded(ChannelError):
    """A client wants a package that this server has to fetch from an upstream first."""

    code = "CND0072"
    message = _("'{filename}' is not stored on this server, and its {reason}. {advice}")


class BadOrigin(ChannelError):
    """A distribution names a web site whose scripts may read the channel, and the name is none."""

    code = "CND0073"
    message = _(
        "'{origin}' is no origin of a web site. Write its scheme, its host, and its port if that "
        "is not the usual one, without a path: 'https://example.org', or '*' for all sites."
    )


class NamesMissing(ChannelError):
    """A search, or a page of a package, in a publication that has no table of names."""

    code = "CND0077"
    message = _(
        "this state was published by an earlier version of pulp-conda, which kept no names to "
        "search in. Publish its repository version again with 'pulp conda publication create'."
    )


class MassRemoval(ChannelError):
    """A sync with `mirror` would remove a large part of a channel at once."""

    code = "CND0087"
    message = _(
        "the sync would remove {losses} from repository '{repository}', which is more than "
        "{percent} %. Nothing was changed. Look whether the upstream is whole and the remote is "
        "right. If it is meant, sync again with 'allow_mass_removal'."
    )


class NotPrivateByFlag(ChannelError):
    """`private` was to be changed of a channel whose content guard somebody chose."""

    code = "CND0095"
    message = _(
        "'private' is {private} for distribution '{distribution}', whose content guard is {guard}. "
        "Say with 'content_guard' who may read it, or leave one of the two fields out."
    )


class NotPrivateTogether(ChannelError):
    """`private` of a lifecycle was to change, and a content guard of a stage was chosen."""

    code = "CND0138"
    message = _(
        "'private' is {private} for all stages, and the content guard of some was chosen: "
        "{stages}. Say with 'content_guard' of each stage who may read it, or leave one of the two "
        "fields out."
    )


class ContentGuardInUse(ChannelError):
    """The content guard of private channels was to be deleted, which would make them public."""

    code = "CND0096"
    message = _(
        "Content guard '{name}' is not deleted, because {use}: everybody could read what it "
        "guards. Set 'private' of the channels to false first, or give them another content guard."
    )


class ExportWithoutShards(ChannelError):
    """An exporter of Pulp was to write a channel with shards, which it cannot."""

    code = "CND0097"
    message = _(
        "A filesystem exporter cannot write this publication: it would leave out the "
        "shards that the indexes name, {count} of them. Use 'pulp conda export to', or publish a "
        "repository whose 'shards' is false."
    )


class NotAllManaged(ChannelError):
    """Somebody may not manage the roles of all parts of a channel, and wanted to set one."""

    code = "CND0114"
    message = _(
        "The roles in channel '{channel}' are set on all of its parts together, and you may not "
        "manage the roles of {parts}. Nothing was changed. Ask an owner of these for the "
        "permission 'manage_roles'."
    )


class NeedsLifecycle(ChannelError):
    """A role that is about stages was to be given in a channel that has none."""

    code = "CND0115"
    message = _(
        "Channel '{channel}' has no lifecycle, so it has nothing for the role '{role}'. "
        "Create its stages first: pulp conda lifecycle create"
    )


class TrustError(ChannelError):
    """A workflow of a CI service, and a publisher that expects it or does not."""


class BadIdentityToken(TrustError):
    """A client wants a token to upload, and its ID token proves nothing."""

    code = "CND0116"
    message = _("The ID token is not accepted: {reason}.")


class NoPublisher(TrustError):
    """An ID token is right, and no publisher expects the workflow that it is from."""

    code = "CND0117"
    message = _(
        "No publisher of a channel expects this workflow: {reason}. Change the workflow, or ask an "
        "owner of the channel to change the publisher: pulp conda publisher update"
    )


class KeysUnavailable(TrustError):
    """An ID token cannot be checked, because the keys of its provider are not there."""

    code = "CND0118"
    message = _(
        "The ID token cannot be checked: provider '{provider}' {reason}. Try again later. "
        "If it stays so, an administrator of this server has to look into its log."
    )


class BadPublisher(TrustError):
    """A publisher is described in a way that nobody, or anybody, would match."""

    code = "CND0119"
    message = _("This is no publisher: {reason}.")


class DiskFull(ChannelError):
    """A file could not be written, because there is no room for it."""

    code = "CND0080"
    message = _(
        "There is no room left in '{path}': {reason}. "
        "Free some space there, or choose another place with the setting '{setting}'."
    )


class CredentialsError(ChannelError):
    """The credentials of a request are refused."""


class WrongToken(CredentialsError):
    """A request has a token that is none, or none any more."""

    code = "CND0090"
    message = _(
        "The token is not valid: it is mistyped, revoked or expired, or its owner cannot log in. "
        "Get another one with 'pulp conda token create'."
    )


class TokenNotForThis(CredentialsError):
    """A request has a valid token, and does something that the token is not for."""

    code = "CND0091"
    message = _(
        "Token '{name}' is for '{scopes}', and not for this request. "
        "Use a token with another scope or without this limit, or a password."
    )


class TooManyFailures(CredentialsError):
    """An address sent many wrong passwords for a user, or many wrong tokens."""

    code = "CND0092"
    message = _(
        "There were too many wrong {what} from this address. Wait {seconds} seconds before the "
        "next one."
    )


class TokenRevoked(CredentialsError):
    """A revoked token was to get a new secret."""

    code = "CND0093"
    message = _(
        "Token '{name}' is revoked, and stays so: somebody may have had a reason. "
        "Delete it, and create another one."
    )


class DoorError(ChannelError):
    """An upload by one of the tools of the field cannot be taken."""


class UnknownChannel(DoorError):
    """An upload names a channel that is not on this server."""

    code = "CND0107"
    message = _(
        "there is no channel '{channel}' here. Write the name that its URL has, for example "
        "'team/stable', or its upload alias."
    )


class FromBrowser(DoorError):
    """A page in a browser sent an upload, maybe without the knowledge of its user."""

    code = "CND0108"
    message = _(
        "a page in a browser sent this request, and packages are only taken from programs. "
        "Use 'pixi upload', 'rattler-build upload', 'anaconda upload', 'curl' or "
        "'pulp conda channel upload'."
    )


class TakenAlias(DoorError):
    """A channel would get a name by which upload tools find another channel."""

    code = "CND0109"
    message = _(
        "upload tools find another channel of this server by '{name}'. Choose another upload alias."
    )


class BadUpload(DoorError):
    """A request of an upload tool cannot be read."""

    code = "CND0110"
    message = _("the upload cannot be read: {reason}.")


class MayNotRemove(DoorError):
    """A user may not remove packages of a channel."""

    code = "CND0111"
    message = _(
        "'{user}' may not remove packages of channel '{channel}': {reason}. "
        "Ask the owner of repository '{repository}' for that."
    )


class NothingToRemove(DoorError):
    """A file is to be removed that the channel does not have."""

    code = "CND0112"
    message = _("channel '{channel}' has no '{path}'. Look for its name in 'repodata.json'.")


class NotServedYet(DoorError):
    """A package was taken, and is not served after the time that clients wait."""

    code = "CND0113"
    message = _(
        "'{filename}': the request was taken, but after {seconds} seconds the channel does not "
        "show it yet, because other work goes first. It will later. "
        "To send the same request again does no harm."
    )


class NoSuchEnvironment(ChannelError):
    """A version of a repository has no environment of this name."""

    code = "CND0130"
    message = _(
        "version {version} of repository '{repository}' has no environment '{environment}', but "
        "{names}. Name one of these, or register it with 'pulp conda environment create'."
    )


class NotPublished(ChannelError):
    """Environments are solved on a publication, and a version has none."""

    code = "CND0131"
    message = _(
        "version {version} of repository '{repository}' is not published, so no environment is "
        "solved on it. Publish it with 'pulp conda publication create', and ask again."
    )


class VirtualChannelError(ChannelError):
    """Several channels are to be served as one."""


class NothingToExport(VirtualChannelError):
    """An exporter of Pulp was to write a virtual channel, which has no content of its own."""

    code = "CND0083"
    message = _(
        "Repository '{name}' is a virtual channel, and an exporter of Pulp would write it without "
        "packages. Write it to a folder with 'pulp conda export to', or export the repositories "
        "of the channels that it merges."
    )


class BadVirtualChannel(VirtualChannelError):
    """The list of the channels that a virtual channel merges makes no sense."""

    code = "CND0133"
    message = _("These channels are not merged: {reason}.")


class TakesNoContent(VirtualChannelError):
    """A virtual channel was to get packages of its own."""

    code = "CND0134"
    message = _(
        "Repository '{name}' merges other channels, so it has no content of its own. "
        "Change one of these channels."
    )


class UsedByVirtualChannel(VirtualChannelError):
    """What a virtual channel serves packages from was to be deleted."""

    code = "CND0135"
    message = _(
        "A virtual channel serves packages from '{name}', so it is not deleted. Take it out of "
        "'merged_channels' of repository '{channel}', and delete the versions of this repository "
        "that still have it."
    )


class NotMerged(VirtualChannelError):
    """A virtual channel cannot serve what one of its channels serves now."""

    code = "CND0136"
    message = _(
        "Virtual channel '{channel}' stays as it was, because channel '{member}' cannot be merged: "
        "{reason}. {advice}"
    )


class NeedsContentGuard(VirtualChannelError):
    """A channel without a content guard would serve what a content guard protects."""

    code = "CND0137"
    message = _(
        "This channel merges a channel that not everybody may read, and has no content guard of "
        "its own. Set 'private', or another content guard."
    )


class PlatformNotMirrored(ChannelError):
    """An environment of a selection is for a platform that the upstream lacks."""

    code = "CND0145"
    message = _(
        "{name} is for '{platform}', and the sync takes {platforms}. Nothing was changed. "
        "Add the subdir to the remote if the upstream has it, or leave the environment out."
    )


class NoSelection(ChannelError):
    """A plan was asked for, and there is nothing to plan."""

    code = "CND0146"
    message = _(
        "repository '{repository}' has no selection, so a sync takes all that its remote takes. "
        "Give a 'selection' with the request, or set one at the repository."
    )


class NoSuchBaseChannel(ChannelError):
    """A selection names a base channel that this server does not have."""

    code = "CND0147"
    message = _(
        "this server has no channel '{channel}' that can be a base channel. Name the base path of "
        "a distribution, as 'pulp conda distribution list' shows it."
    )


class BaseChannelCycle(ChannelError):
    """A repository would be a base channel of itself, perhaps through others."""

    code = "CND0148"
    message = _(
        "channel '{channel}' serves repository '{repository}' itself, so it cannot be a base "
        "channel of it, also not through other channels. Take it out of 'base_channels'."
    )


class RefreshError(ChannelError):
    """A channel is not refreshed."""


class NothingToRefresh(RefreshError):
    """A repository without a remote is to be refreshed."""

    code = "CND0151"
    message = _(
        "repository '{repository}' has no remote, so there is nothing to sync it from. Set one: "
        "pulp conda repository update --name {repository} --remote NAME"
    )


class RefreshStopped(RefreshError):
    """The user in whose name a repository is refreshed may not do so any more."""

    code = "CND0152"
    message = _(
        "the refresh of repository '{repository}' stopped: user '{user}', who set it, {reason}. "
        "Somebody with that right has to set it again: pulp conda channel refresh {repository}"
    )


class RunLost(RefreshError):
    """The task of a run ended before the run did."""

    code = "CND0153"
    message = _(
        "the task of this run was killed or canceled before it was done. What the channel served "
        "before is still served. If it happens again, look into the log of the worker."
    )


class BadPromotion(RefreshError):
    """A lifecycle is named that a refresh cannot promote in."""

    code = "CND0154"
    message = _(
        "lifecycle '{lifecycle}' cannot follow the refresh of repository '{repository}', because "
        "it belongs to another repository. Name a lifecycle of this repository."
    )


class NotSyncedYet(RefreshError):
    """A channel that is synced when somebody asks for it was not synced yet."""

    code = "CND0155"
    message = _(
        "'{path}' comes with the first sync of the channel, which is not done yet or failed. "
        "Ask again later. Its runs say how it goes: pulp conda channel runs NAME"
    )


class Offline(RefreshError):
    """Something is to be asked of an upstream, and the server asks none."""

    code = "CND0156"
    message = _(
        "this server is offline, so it asks no upstream. What is here is served. "
        "Upstreams are asked again without its setting CONDA_OFFLINE."
    )


class FilterNeedsName(ChannelError):
    """A filter of packages compares in Python, so it is only for the packages of one name."""

    code = "CND0158"
    message = _(
        "'{filter}' compares the packages of one name. Give the name, too, for example "
        "'name=numpy'."
    )


class BadVersion(ChannelError):
    """A text is no version of a package."""

    code = "CND0159"
    message = _("'{version}' is no version (CEP 33). Write one such as '1.26.4'.")


class DatabaseAway(ChannelError):
    """PostgreSQL does not answer, or broke a statement off."""

    code = "CND0160"
    message = _(
        "the server cannot ask its database now. Ask again in {seconds} seconds. "
        "If the request was to change something, look first whether it did."
    )


class NotMigrated(ChannelError):
    """The plugin is newer than the tables of its database."""

    code = "CND0161"
    message = _(
        "the database has not got migration '{migration}' of the plugin yet. "
        "Run: pulpcore-manager migrate"
    )


class StageMoved(ChannelError):
    """A button of the board is about states that are not there any more."""

    code = "CND0162"
    message = _(
        "the stages moved after this page was made: {states}. Nothing was changed. "
        "Look at what would change now, and decide again."
    )


class ReplicatedInPart(ChannelError):
    """A replication left channels as they were, because something is wrong with them."""

    code = "CND0173"
    message = _(
        "{count} of the channels could not be replicated, and serve what they served before. The "
        "others are replicated. Correct this, and replicate again. {channels}"
    )


class ReplicaNotFree(ChannelError):
    """The name or the path of a channel of another Pulp is in use on this server."""

    code = "CND0174"
    message = _(
        "the name '{name}' or the path '{base_path}' is in use on this server: {reason} Rename one "
        "of the two channels, or leave this one out with 'q_select'."
    )
