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
    │   ├── DownloadFailed          CND0024
    │   ├── TooLargeToWait          CND0065
    │   └── PayloadMismatch         CND0081
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
    │   ├── BadSidecar              CND0029
    │   ├── UnknownSha256           CND0082
    │   ├── BadFiles                CND0088
    │   └── DownloadBrokeOff        CND0089
    ├── BadPatch                CND0030
    ├── BadAttestation          CND0031
    ├── BadNotice               CND0032
    ├── BadChannelRelations     CND0033
    ├── BadEnvironment          CND0045
    ├── BadLockFile             CND0050
    ├── BadPolicy               CND0055
    ├── NothingToPromote        CND0056
    ├── BadMoment               CND0058
    ├── FutureMoment            CND0059
    ├── BadWebhook              CND0061
    ├── BadRequestValue         CND0064
    ├── MissingHash             CND0067
    ├── BadTimetable            CND0150
    ├── BadOwnerRule            CND0132
    └── ClosureError            packages with what they need
        ├── NotInstallable          CND0126
        ├── TooManyRoots            CND0127
        ├── NotProven               CND0128
        ├── SolverGaveUp            CND0129
        ├── RootMatchesNothing      CND0140
        ├── ContradictorySpecs      CND0141
        ├── BoundLeavesNothing      CND0142
        ├── LockedFilesMissing      CND0143
        └── SelectionTooLarge       CND0144

`SeveralErrors` stands for several of them that are about one package.

An error has a sentence for people, `str(error)`, and the facts in that sentence for programs and
tests, `error.facts`. A code is never used again. `docs/user/reference/errors.md` has a section for
each code.

The errors that speak of repositories, stages and lifecycles are in `pulp_conda.app.errors`.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from gettext import gettext as _
from typing import Any, ClassVar, Self

from pulp_conda.channel.secrets import mask


class ChannelError(Exception):
    """The base of all errors of this plugin.

    Attributes:
        code: Tells errors apart for programs, for example `CND0001`. It never changes. It is empty
            for the classes that only group others.
        message: The sentence, with a place in braces for each fact.
        facts: What stands in these places, by name. Texts are without secrets.
        where: What the sentence is about, for example ``Remote 'forge'``, or None.
    """

    code: str = ""
    message: ClassVar[str] = ""

    def __init__(self, **facts: Any) -> None:
        facts = {
            name: mask(fact) if isinstance(fact, str) else fact for name, fact in facts.items()
        }
        super().__init__(facts)
        self.facts = facts
        self.where: str | None = None

    def at(self, where: str) -> Self:
        """Set `where`, which comes before the sentence, and return the error."""
        self.where = where
        return self

    @property
    def text(self) -> str:
        """The sentence without the code. All of its characters are printable."""
        facts = {key: shown(mask(str(value)), longest=1000) for key, value in self.facts.items()}
        text = self.message.format(**facts)
        return f"{self.where}: {text}" if self.where else text

    @property
    def errors(self) -> "tuple[ChannelError, ...]":
        """The errors that it stands for: itself."""
        return (self,)

    def __str__(self) -> str:
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
        "Use lower case letters, digits, '_', '.' and '-' between slashes, "
        "for example 'team/stable'."
    )


class PackageError(ChannelError):
    """A package file cannot be used."""


class SeveralErrors(PackageError):
    """Several things are wrong with one package, which all are said at once.

    Attributes:
        errors: What is wrong, at least two errors.
        code: The code of the first of them.
    """

    def __init__(self, errors: Iterable[ChannelError]) -> None:
        super().__init__()
        self._errors = tuple(errors)
        self.code = self._errors[0].code

    @property
    def errors(self) -> tuple[ChannelError, ...]:
        return self._errors

    def at(self, where: str) -> Self:
        for error in self._errors:
            error.at(where)
        return self

    @property
    def text(self) -> str:
        return " ".join(error.text for error in self._errors)

    def __str__(self) -> str:
        return "\n".join(map(str, self._errors))


class MissingMetadata(PackageError):
    """The file has no ``info/index.json``, or a ``.conda`` file has not both of its archives."""

    code = "CND0002"
    message = _(
        "'{filename}' has no '{member}'. The file may be cut short or renamed: "
        "compare its size and name with what was built, and upload it again."
    )


class UnreadablePackage(PackageError):
    """The file is not a whole archive of the format that its name says."""

    code = "CND0003"
    message = _(
        "'{filename}' cannot be read: {reason}. "
        "The file is damaged, cut short or no conda package: "
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
        "No build tool makes such a package: "
        "find out where the file comes from before you use it."
    )


class PackageTooLarge(PackageError):
    """To unpack the file would take more memory or time than the limits allow."""

    code = "CND0011"
    message = _(
        "'{filename}' exceeds a limit: {reason}. "
        "If the package is meant to be that large, an administrator can raise '{setting}'."
    )


class MissingSubdir(PackageError):
    """Neither ``info/index.json`` nor the caller says for which platform the package is."""

    code = "CND0021"
    message = _(
        "'info/index.json' of '{filename}' names no subdir. "
        "State it with the upload, for example 'subdir=linux-64'."
    )


class DownloadFailed(PackageError):
    """A package was to be uploaded from a URL, and nothing came from there."""

    code = "CND0024"
    message = _(
        "'{url}' cannot be downloaded: {reason}. Check the URL and 'downloader_config', "
        "and that this server may connect to it."
    )


class TooLargeToWait(PackageError):
    """To read the package would take more than a request without a task may take."""

    code = "CND0065"
    message = _(
        "'{filename}' is too large to be read while you wait: {reason}. "
        "Upload it as a task, with a POST request to 'content/conda/packages/'."
    )


class PayloadMismatch(PackageError):
    """The files of a package are not those that its ``info/paths.json`` lists."""

    code = "CND0081"
    message = _(
        "'{filename}' does not hold what its 'info/paths.json' lists: {reason}. "
        "Clients compare the two. Build the package again, or find out who changed it."
    )


class BadMatchSpec(ChannelError):
    """A query for packages does not parse (CEP 29)."""

    code = "CND0007"
    message = _(
        "'{spec}' is not a match spec: {reason}. "
        "Write a name and constraints, for example 'numpy >=1.26,<3'."
    )


class UpstreamError(ChannelError):
    """A channel that is mirrored does not answer as a channel should."""

    def of_package(self) -> Self:
        """Return the error with the advice for a single package file, if it gives advice."""
        if self.facts.get("status") in (403, 404, 410, 451):
            self.facts["advice"] = _(
                "The upstream lists the package and does not give its file: "
                "leave it out with the remote's 'excludes', or set its 'on_error' to 'skip'."
            )
        elif "advice" in self.facts:
            alone = _(
                "If it is only this file, leave the package out with the remote's 'excludes'."
            )
            self.facts["advice"] = f"{self.facts['advice']} {alone}"
        return self


class UpstreamStatus(UpstreamError):
    """The upstream answered with an HTTP error."""

    code = "CND0004"
    message = _("'{url}' answered {status}. {advice}")

    ADVICE: ClassVar[dict[int, str]] = {
        401: _("Set the remote's username and password, or its token."),
        403: _(
            "The remote's username, password or token does not allow it, "
            "or the channel forbids mirrors."
        ),
        404: _(
            "Give the URL that stands before the subdir, "
            "and name only subdirs that the channel has."
        ),
        429: _(
            "The upstream limits how often it answers: "
            "set the remote's 'rate_limit', or sync later."
        ),
    }

    def __init__(self, url: str, status: int, wait: int | None = None) -> None:
        """Say which URL answered so.

        Args:
            wait: How many seconds it asks to wait, if that is too long.
        """
        advice = self.ADVICE.get(status)
        if advice is None:
            advice = _("The upstream is in trouble: sync again later.")
        if wait is not None:
            asked = _("It asks to wait {wait:,} seconds, longer than a sync waits.")
            advice = f"{asked.format(wait=wait)} {advice}"
        super().__init__(url=url, status=status, advice=advice)


class BadRecord(UpstreamError):
    """A record of the upstream's repodata cannot be served. A sync leaves it out and goes on."""

    code = "CND0008"
    message = _("the record of '{filename}' is left out: {reason}.")


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
    """The upstream gave no HTTP answer at all."""

    code = "CND0016"
    message = _(
        "'{url}' cannot be reached: {reason}. "
        "Check the remote's URL, proxy and TLS settings, and that this server may connect to it."
    )


class DigestMismatch(UpstreamError):
    """A downloaded file has another checksum or size than its record says."""

    code = "CND0017"
    message = _(
        "'{url}' has other bytes than its record says: {reason}. Nothing of it was kept. "
        "The channel may have changed during the sync: run it again. If the file stays wrong, "
        "leave the package out with the remote's 'excludes'."
    )


class RepodataTooLarge(UpstreamError):
    """A metadata file of the upstream is larger than the limit."""

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
        "or name the channel's subdirs in the remote's 'subdirs'.{hint}"
    )

    def __init__(self, url: str, form: str = "auto") -> None:
        hint = _(" The remote's 'repodata_form' is '{form}': with 'auto', every form is tried.")
        super().__init__(url=url, hint="" if form == "auto" else hint.format(form=form))


class BadUpstreamUrl(UpstreamError):
    """The URL of a remote cannot be the URL of a channel."""

    code = "CND0025"
    message = _(
        "'{url}' is not the URL of a channel: {reason}. "
        "Give what stands before the subdir, for example 'https://conda.anaconda.org/conda-forge'."
    )


class BadShardIndex(UpstreamError):
    """An upstream's index of shards does not have the form of CEP 16."""

    code = "CND0026"
    message = _(
        "'{url}' is not a shard index: {reason}. "
        "Tell the channel's owner, or sync again later; what was served before stays."
    )


class BadShard(UpstreamError):
    """A shard has another checksum than the index says, or is no map of records."""

    code = "CND0027"
    message = _(
        "'{url}', the shard of '{name}', is wrong: {reason}. "
        "The channel may have changed during the sync: run it again."
    )


class BadUpstreamFile(UpstreamError):
    """The upstream's ``run_exports.json`` or ``channeldata.json`` cannot be read."""

    code = "CND0028"
    message = _(
        "'{url}' cannot be used: {reason}. Tell the channel's owner, or sync again later; "
        "what was served before stays."
    )


class BadSidecar(UpstreamError):
    """A file of attestations is not the one that the package's record names (CEP 50)."""

    code = "CND0029"
    message = _(
        "'{url}' does not hold the attestations of the package: {reason}. "
        "Nothing of it was kept. Sync again later, "
        "or leave the package out with the remote's 'excludes'."
    )


class UnknownSha256(UpstreamError):
    """A record has an md5 only, and the file is not here. A sync leaves it out and goes on."""

    code = "CND0082"
    message = _("it has no sha256, and only a sync with the policy 'immediate' can find it out")


class BadFiles(UpstreamError):
    """Several package files of an upstream cannot be downloaded, or have wrong bytes."""

    code = "CND0088"
    message = _(
        "{count} of {total} package files cannot be downloaded: {files}. Nothing was changed. "
        "Sync again later, leave the packages out with the remote's 'excludes', or set its "
        "'on_error' to 'skip'."
    )


class DownloadBrokeOff(UpstreamError):
    """An upstream began to answer, and did not end, or it took too long."""

    code = "CND0089"
    message = _("the download of '{url}' broke off: {reason}. {advice}")


class BadPatch(ChannelError):
    """Patch instructions are wrong, so no repodata can be changed by them."""

    code = "CND0030"
    message = _(
        "the patch is wrong: {reason}. "
        "Write it as conda's 'patch_instructions.json' has it, for example "
        "{{'packages.conda': {{'numpy-2.0-0.conda': {{'depends': ['python >=3.12']}}}}}}."
    )


class BadAttestation(ChannelError):
    """A statement about a package is not signed, or is about another file (CEP 27)."""

    code = "CND0031"
    message = _(
        "the attestation of '{filename}' is refused: {reason}. "
        "Sign the file that you upload, for the channel that you upload it to."
    )


class BadNotice(ChannelError):
    """Clients could not show a notice (CEP 6)."""

    code = "CND0032"
    message = _(
        "the notice is wrong: {reason}. Give 'message', 'level' (info, warning or critical) and "
        "'expires_at', for example '2027-01-31T00:00:00Z'."
    )


class BadChannelRelations(ChannelError):
    """Clients could not follow the references to other channels (CEP 42)."""

    code = "CND0033"
    message = _(
        "the channel relations are wrong: {reason}. "
        "Give 'base', 'overrides' or both as relative paths, "
        "for example {{'base': '../conda-forge'}}."
    )


class BadEnvironment(ChannelError):
    """A file or a list does not say what to install (CEP 24)."""

    code = "CND0045"
    message = _(
        "the environment is wrong: {reason}. "
        "Correct the file, or give what to install as a list, one match spec a line."
    )


class BadLockFile(ChannelError):
    """A lock file cannot be read."""

    code = "CND0050"
    message = _(
        "the lock file ({format}) cannot be read: {reason}. "
        "Write it again with pixi, conda-lock or 'conda list --explicit', and do not edit it."
    )


class BadPolicy(ChannelError):
    """The rules for packages are wrong, so no package can be judged by them."""

    code = "CND0055"
    message = _(
        "the policy of gate '{gate}' is wrong: {reason}. "
        "A policy has one or more of 'minimum_age', 'licenses', 'blocked', 'required' and "
        "'dependencies', for example {{'minimum_age': {{'days': 7}}}}."
    )


class NothingToPromote(ChannelError):
    """Packages were chosen from a source by specs, and a spec matches none of them."""

    code = "CND0056"
    message = _(
        "no package matches {specs}. "
        "Compare the specs with the packages of the version that they are taken from."
    )


class BadMoment(ChannelError):
    """A text does not say which state of a channel is meant."""

    code = "CND0058"
    message = _(
        "'{text}' names no state of a channel: {reason}. "
        "Write '2026-03-03' for the end of a day in UTC, '2026-03-03t120000z' for a moment, "
        "or 'v42' for a version."
    )


class FutureMoment(ChannelError):
    """A day or a moment is named that has not come yet."""

    code = "CND0059"
    message = _(
        "'{text}' is in the future: it is {now} now. "
        "Give an earlier day or time, or none for the current state."
    )


class BadWebhook(ChannelError):
    """The URL or the secret of a webhook cannot be used."""

    code = "CND0061"
    message = _(
        "the {what} of the webhook is wrong: {reason}. Correct it, or give null to go without."
    )


class BadRequestValue(ChannelError):
    """A request has a value that can be neither stored nor looked for."""

    code = "CND0064"
    message = _(
        "the request has a value that can be neither stored nor looked for: {reason}. "
        "Correct the value, or leave it out."
    )


class MissingHash(ChannelError):
    """A lock file needs a hash of each package, and some of them have none of this kind."""

    code = "CND0067"
    message = _(
        "the {format} file needs the {digest} of each package, and it is not known for {packages}. "
        "It is computed from a file that is on this server: download these packages once from the "
        "channel, or sync with the policy 'immediate', and ask again. "
        "A 'pixi' file, or an 'explicit' one with the other hash, can be written now."
    )


class BadTimetable(ChannelError):
    """A text or a number does not say when something is repeated."""

    code = "CND0150"
    message = _(
        "this is no timetable: {reason}. Give either seconds, for example 21600 for every six "
        "hours, or a cron line such as '30 3 * * *' and a time zone such as 'Europe/Berlin'."
    )


class BadOwnerRule(ChannelError):
    """A rule of a virtual channel says which names a channel owns, and no name could match it."""

    code = "CND0132"
    message = _(
        "'{pattern}' is no pattern for package names. Write a name, or a beginning and '*', for "
        "example 'acme-*'."
    )


class ClosureError(ChannelError):
    """Packages cannot be selected with what they need."""


class NotInstallable(ClosureError):
    """A wanted package cannot be installed from the source at all."""

    code = "CND0126"
    message = _(
        "'{specs}' cannot be installed from the source: {reason}. Nothing was changed. "
        "Sync what is missing into the source, correct the specs, name what the machine has in "
        "'virtual_packages', or leave the dependencies out with 'with_dependencies' false. "
        "Packages that do not go together are asked for in requests of their own."
    )


class TooManyRoots(ClosureError):
    """More packages are wanted with their dependencies than can be solved in one request."""

    code = "CND0127"
    message = _(
        "the specs are too many to select dependencies for: {reason}. Nothing was changed. "
        "Ask for them in several requests, or for the whole version."
    )


class NotProven(ClosureError):
    """What was selected is worse than the source, which is a mistake of this server."""

    code = "CND0128"
    message = _(
        "'{specs}' could be installed on {platform} from the source, and not from the target with "
        "what was selected: {reason}. Nothing was changed. Set 'newest' to a larger number or to "
        "0, and tell the maintainers of pulp_conda."
    )


class SolverGaveUp(ClosureError):
    """The solver came to no end, so nobody knows which dependencies to select."""

    code = "CND0129"
    message = _(
        "the solver has no answer for '{specs}' on {platform}: {reason}. Nothing was changed. "
        "If it reached a limit, raise CONDA_SOLVER_SECONDS or CONDA_SOLVER_MEMORY; "
        "with 'with_dependencies' false, nothing is solved."
    )


class RootMatchesNothing(ClosureError):
    """A root of a selection matches no package of the upstream."""

    code = "CND0140"
    message = _(
        "'{spec}' matches no package of the upstream. {hint}. Nothing was changed. Correct the "
        "spec, or add the subdir that has it to the remote."
    )


class ContradictorySpecs(ClosureError):
    """Specs of one group are about the same name, and no package satisfies all of them."""

    code = "CND0141"
    message = _(
        "no package '{name}' satisfies {specs} together. Nothing was changed. Give the specs in "
        "groups of their own, or in 'for_each'."
    )


class BoundLeavesNothing(ClosureError):
    """A root of a selection can be installed from the upstream, and a bound forbids it."""

    code = "CND0142"
    message = _(
        "'{spec}' cannot be installed within the bounds: {reason}. Nothing was changed. "
        "It can with {change}."
    )


class LockedFilesMissing(ClosureError):
    """The upstream lacks files of a lock file that is a root of a selection."""

    code = "CND0143"
    message = _(
        "{name} cannot be mirrored whole: {reasons}. Nothing was changed. Take the upstream that "
        "the lock file was made from, name the other channel in 'base_channels', or lock again."
    )


class SelectionTooLarge(ClosureError):
    """More was selected than the selection allows."""

    code = "CND0144"
    message = _(
        "the selection has {packages} packages with {bytes} bytes, which is more than '{key}' "
        "{limit} allows. Nothing was downloaded. Look at the plan, and ask for less or allow more."
    )


@contextmanager
def noting(errors: list[ChannelError]) -> Iterator[None]:
    """Note an error that is raised in a `with` block, and go on behind it."""
    try:
        yield
    except ChannelError as error:
        errors += error.errors


def raise_all(errors: Sequence[ChannelError]) -> None:
    """Raise what was noted: nothing, the only error, or `SeveralErrors`."""
    if len(errors) > 1:
        raise SeveralErrors(errors)
    if errors:
        raise errors[0]


def shown(text: str, longest: int = 200) -> str:
    """Return a text from others as one printable line.

    Of a text with more than `longest` characters, these are the first ones and an ellipsis. What
    cannot be printed is escaped as in Python.
    """
    text = text if len(text) <= longest else f"{text[:longest]}…"
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def first_of(texts: Sequence[str], most: int, count: int | None = None) -> list[str]:
    """Return the first `most` texts. If there are more, a last text says how many.

    Args:
        count: How many there are in all. The default is the length of `texts`.
    """
    first = list(texts[:most])
    more = (len(texts) if count is None else count) - len(first)
    return [*first, f"and {more:,} more"] if more > 0 else first


def listed(problems: Sequence[str], most: int = 10) -> str:
    """Return problems as one text: the first `most` of them, and how many more there are."""
    return "; ".join(first_of(problems, most))
