"""Choose the form in which each subdir of an upstream channel is read, and download it."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

from pulp_conda.app.models import CondaRemote
from pulp_conda.app.sync.upstream_files import ABSENT, Seen, UpstreamFiles, may_pass, status_of
from pulp_conda.app.vocabulary import RepodataForm
from pulp_conda.channel import layout
from pulp_conda.channel.errors import (
    BadRepodata,
    BadShardIndex,
    BadUpstreamFile,
    ChannelError,
    EmptyUpstream,
    RepodataTooLarge,
    UpstreamError,
    UpstreamStatus,
)
from pulp_conda.channel.metadata.stream import is_zstd

# By these, an upstream says plainly that it does not have a form of the repodata: no fault.
_NO_SUCH_FORM = {404, 410, 501}

# The files that have the records of a subdir, by the remote's `repodata_form`: the best first.
_FLAT_FORMS = (layout.REPODATA_ZST, layout.REPODATA)
FORMS = {
    RepodataForm.AUTO: (layout.SHARD_INDEX, *_FLAT_FORMS),
    RepodataForm.SHARDS: (layout.SHARD_INDEX,),
    RepodataForm.FLAT: _FLAT_FORMS,
}


@dataclass(frozen=True)
class FetchedSubdir:
    """The records of a subdir as the upstream has them.

    Attributes:
        path: The repodata or the shard index, as a file in the working directory of the task. None
            if it is what the last sync saw.
        seen: What the next sync compares with.
        run_exports: The run_exports.json beside the repodata, or None if there is none. Shards have
            it inside.
        instead_of: Why this is none of the forms that a sync would rather read, as far as the
            upstream should have these.
        has_other_form: Whether the subdir may be read in another form, if this file is wrong.
    """

    subdir: str
    path: str | None
    seen: Seen
    run_exports: "FetchedFile | None" = None
    instead_of: tuple[UpstreamError, ...] = ()
    has_other_form: bool = False

    @property
    def url(self) -> str:
        """The URL of the repodata or the shard index."""
        return self.seen["url"]

    @property
    def new_path(self) -> str:
        """The path of a file that the last sync did not see."""
        assert self.path is not None, "nothing changed since the last sync"
        return self.path

    @property
    def form(self) -> str:
        """The form of the records: the name of the file, without its subdir."""
        return self.url.partition("?")[0].rpartition("/")[2]

    @property
    def is_sharded(self) -> bool:
        """Whether the records are in shards, and the file is their index."""
        return self.form == layout.SHARD_INDEX


@dataclass(frozen=True)
class FetchedFile:
    """Another file of the upstream, in the working directory of the task."""

    path: str
    url: str


class _NoForm(Exception):
    """A subdir cannot be downloaded in any form.

    Attributes:
        errors: What is wrong with each form, the best first.
    """

    def __init__(self, errors: Sequence[UpstreamError]) -> None:
        super().__init__(errors)
        self.errors = errors

    @property
    def error(self) -> UpstreamError:
        """The error to report: that of the best form which the upstream seems to have."""
        return next(iter(_faults(self.errors)), self.errors[-1])


class Upstream:
    """The metadata of the channel that a remote points to.

    Args:
        known: The subdirs that it had at the last sync.
        unusable: Forms of the repodata, by the name of their file, that turned out to be wrong.
            They are only read where there is no other form.

    Attributes:
        doubtful: By subdir, why it is not sure that the upstream has none of it.
        problems: Why files that a sync can do without could not be had.
        files: Downloads single files.
    """

    def __init__(
        self,
        remote: CondaRemote,
        known: Collection[str] = (),
        unusable: Mapping[str, UpstreamError] | None = None,
    ) -> None:
        self._remote = remote
        self._known = known
        self._unusable = unusable or {}
        self.doubtful: dict[str, UpstreamError] = {}
        self.problems: list[ChannelError] = []
        self.files = UpstreamFiles(remote)

    async def fetch(self, seen_before: Mapping[str, Seen]) -> list[FetchedSubdir]:
        """Download the repodata or the shard index of all subdirs that the remote takes.

        Args:
            seen_before: By subdir, what the last sync saw. What did not change since is not
                downloaded.

        Returns:
            The subdirs that the upstream has.

        Raises:
            ChannelError: when one of them cannot be downloaded, or when there are none.
        """
        subdirs = self._remote.subdirs or layout.KNOWN_SUBDIRS
        answers = await asyncio.gather(
            *(self._fetch_subdir(subdir, seen_before.get(subdir)) for subdir in subdirs),
            return_exceptions=True,
        )
        fetched = [answer for answer in answers if not isinstance(answer, BaseException)]
        for subdir, answer in zip(subdirs, answers, strict=True):
            if isinstance(answer, _NoForm):
                if not self._may_be_absent(subdir, answer.errors, bool(fetched)):
                    raise answer.error
                if may_pass(answer.error):
                    self.doubtful[subdir] = answer.error
            elif isinstance(answer, BaseException):
                raise answer
        if not fetched:
            raise EmptyUpstream(url=self._remote.url, form=self._remote.repodata_form)
        return fetched

    async def fetch_channeldata(self) -> FetchedFile | None:
        """Download the upstream's channeldata.json, or return None if that is not possible."""
        url = layout.join_url(self._remote.url, layout.CHANNELDATA)
        return await self._fetch_optional([url])

    def _may_be_absent(
        self, subdir: str, errors: Sequence[UpstreamError], has_others: bool
    ) -> bool:
        """Say whether a sync may go on without a subdir that could not be downloaded.

        It may, if the remote does not name the subdir, and the upstream says that it does not have
        it. A subdir that was there at the last sync is not absent while it is forbidden, or while a
        form of it cannot be asked for: a mirror would lose all of its packages.

        Args:
            errors: What is wrong with each form, the best first.
            has_others: Whether other subdirs were downloaded.
        """
        status = status_of(errors[-1])
        if self._remote.subdirs or status not in ABSENT:
            return False
        if status == 404 and not any(map(may_pass, errors)):
            return True
        return has_others and subdir not in self._known

    async def _fetch_subdir(self, subdir: str, seen: Seen | None) -> FetchedSubdir:
        """Download the records of a subdir in the best of its forms that can be downloaded.

        Raises:
            _NoForm: none can.
            RepodataTooLarge: it is larger than the limit, which holds for all forms.
        """
        forms = FORMS[RepodataForm(self._remote.repodata_form)]
        answers: dict[str, FetchedSubdir | UpstreamError] = {}
        for form in _FLAT_FORMS:
            if seen and form in forms and seen["url"] == self._url(subdir, form):
                # If this file did not change, no other request is needed.
                answers[form] = answer = await self.fetch_form(subdir, form, seen)
                if isinstance(answer, FetchedSubdir) and answer.path is None:
                    return answer
        for form in sorted(forms, key=lambda form: form in self._unusable):
            if form not in answers:
                answers[form] = await self.fetch_form(subdir, form, seen)
            answer = answers[form]
            if isinstance(answer, FetchedSubdir):
                break
        else:
            raise _NoForm(_errors(answers[form] for form in forms))
        better = forms[: forms.index(form)]
        wrong = {name for name in forms if isinstance(answers.get(name), UpstreamError)}
        answer = replace(
            answer,
            instead_of=_faults(self._unusable.get(name) or answers[name] for name in better),
            has_other_form=bool(set(forms) - wrong - self._unusable.keys() - {form}),
        )
        if answer.is_sharded:
            return answer
        return replace(answer, run_exports=await self._fetch_run_exports(subdir))

    def _url(self, subdir: str, form: str) -> str:
        return layout.join_url(self._remote.url, subdir, form)

    async def fetch_form(
        self, subdir: str, form: str, seen: Seen | None
    ) -> FetchedSubdir | UpstreamError:
        """Download a subdir in one form, or return why it cannot be used."""
        url = self._url(subdir, form)
        try:
            path, now_seen = await self.files.fetch(url, seen)
        except RepodataTooLarge:
            raise
        except UpstreamError as error:
            if status_of(error) == 416:
                # That is for a request for a part of a file. This one asked for the whole file.
                raise
            return error
        if path and form != layout.REPODATA and not _starts_like(path, is_zstd):
            # Some upstreams answer with a page that says "not found", and the status 200.
            wrong = BadShardIndex if form == layout.SHARD_INDEX else BadRepodata
            return wrong(url=url, reason="it is not compressed with zstd")
        return FetchedSubdir(subdir, path, now_seen)

    async def _fetch_run_exports(self, subdir: str) -> FetchedFile | None:
        filenames = (layout.RUN_EXPORTS_ZST, layout.RUN_EXPORTS)
        return await self._fetch_optional(
            [layout.join_url(self._remote.url, subdir, filename) for filename in filenames]
        )

    async def _fetch_optional(self, urls: Iterable[str]) -> FetchedFile | None:
        """Download the first of some JSON files, or zstd of one, that can be had.

        Returns:
            The file. None if the upstream has none of them, or if none can be had; then `problems`
            gets the reasons.
        """
        problems: list[ChannelError] = []
        for url in urls:
            try:
                path, _ = await self.files.fetch(url, None)
            except UpstreamError as error:
                if not isinstance(error, UpstreamStatus) or error.facts["status"] not in ABSENT:
                    problems.append(error)
                continue
            assert path is not None, "no sync saw it before"
            if _starts_like(path, lambda file: is_zstd(file) or file.read(1) == b"{"):
                return FetchedFile(path, url)
            # For example a page that says "not found", with the status 200.
            reason = "it is neither a JSON object nor zstd"
            problems.append(BadUpstreamFile(url=url, reason=reason))
        self.problems += problems
        return None


def _errors(answers: Iterable[FetchedSubdir | UpstreamError]) -> list[UpstreamError]:
    return [answer for answer in answers if isinstance(answer, UpstreamError)]


def _faults(answers: Iterable[FetchedSubdir | UpstreamError]) -> tuple[UpstreamError, ...]:
    """Return the errors that are more than the plain answer that there is no such file."""
    return tuple(error for error in _errors(answers) if not says_no_such_form(error))


def says_no_such_form(error: UpstreamError) -> bool:
    """Say whether an upstream plainly answered that it does not have a file."""
    return status_of(error) in _NO_SUCH_FORM


def _starts_like(path: str, test: Callable[[BinaryIO], bool]) -> bool:
    with open(path, "rb") as file:
        return test(file)
