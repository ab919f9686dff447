"""Compare the forms in which an upstream has its repodata."""

import os
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import NamedTuple, TypedDict

from pulpcore.plugin.models import ProgressReport

from pulp_conda.app.models import CondaRemote
from pulp_conda.app.models.block import current_blocklist
from pulp_conda.app.sync.packages import UpstreamPackage
from pulp_conda.app.sync.reader import UnusableForm, UpstreamReader
from pulp_conda.app.sync.upstream import FORMS, FetchedSubdir, Upstream, says_no_such_form
from pulp_conda.app.sync.upstream_files import run
from pulp_conda.app.vocabulary import RepodataForm
from pulp_conda.channel import layout
from pulp_conda.channel.errors import EmptyUpstream, UpstreamError
from pulp_conda.channel.matchspec import PackageFilter

# The most package names that a report has of a subdir.
_MOST_NAMES = 10


class CheckedForm(TypedDict):
    """What was found in one form of a subdir.

    Attributes:
        form: The name of the file: the shard index or the repodata.
        packages: How many packages the remote takes from it, or None if it cannot be read.
        error: Why it cannot be read.
    """

    form: str
    packages: int | None
    error: str | None


class CheckedName(TypedDict):
    """A package name of which the forms have different records.

    Attributes:
        packages: By form, how many packages of the name it has.
    """

    name: str
    packages: dict[str, int]


class CheckedSubdir(TypedDict):
    """What was found in the forms of a subdir.

    Attributes:
        agrees: Whether all forms that the upstream has can be read, and have the same records.
        differing_names: How many package names differ.
        names: The first of them.
    """

    subdir: str
    agrees: bool
    forms: list[CheckedForm]
    differing_names: int
    names: list[CheckedName]


class _Records(NamedTuple):
    """What is kept of the records of a package name: its size does not grow with them.

    Attributes:
        count: How many they are.
        digest: The sum of their digests: it does not depend on their order.
    """

    packages: int = 0
    digest: int = 0


def check_forms(remote: CondaRemote) -> Iterator[CheckedSubdir]:
    """Read the packages that a remote takes, of each subdir in all of its forms, and compare them.

    Yields:
        What was found, for each subdir of which the upstream has a form.

    Raises:
        EmptyUpstream: it has none.
    """
    # Filters that cannot be read end the check before the first download.
    PackageFilter(remote.includes, remote.excludes)
    # Each form is asked for, whichever the remote names.
    upstream = Upstream(remote)
    is_empty = True
    with ProgressReport(message="Comparing the forms of subdirs", code="check.subdirs") as progress:
        for subdir in remote.subdirs or layout.KNOWN_SUBDIRS:
            if checked := _check_subdir(upstream, remote, subdir):
                is_empty = False
                progress.increment()
                yield checked
    if is_empty:
        raise EmptyUpstream(url=remote.url)


def _check_subdir(upstream: Upstream, remote: CondaRemote, subdir: str) -> CheckedSubdir | None:
    found: dict[str, dict[str, _Records]] = {}
    errors: dict[str, UpstreamError] = {}
    for form in FORMS[RepodataForm.AUTO]:
        try:
            found[form] = _read(upstream, remote, subdir, form)
        except UpstreamError as error:
            errors[form] = error
    if not found and all(map(says_no_such_form, errors.values())):
        return None
    differing = sorted(_differing_names(found))
    return CheckedSubdir(
        subdir=subdir,
        agrees=not differing and all(map(says_no_such_form, errors.values())),
        forms=[
            CheckedForm(
                form=form,
                packages=_count(found[form].values()) if form in found else None,
                error=str(errors[form]) if form in errors else None,
            )
            for form in FORMS[RepodataForm.AUTO]
        ],
        differing_names=len(differing),
        names=[
            CheckedName(name=name, packages=_packages_of(name, found))
            for name in differing[:_MOST_NAMES]
        ],
    )


def _read(upstream: Upstream, remote: CondaRemote, subdir: str, form: str) -> dict[str, _Records]:
    """Return what a form of a subdir has, by package name.

    Raises:
        UpstreamError: it cannot be read.
    """
    fetched = run(upstream.fetch_form(subdir, form, None))
    if not isinstance(fetched, FetchedSubdir):
        raise fetched
    try:
        package_filter = PackageFilter(remote.includes, remote.excludes, current_blocklist())
        reader = UpstreamReader(upstream, remote, None, package_filter, [fetched], {})
        return _collect(reader.packages())
    except UnusableForm as wrong:
        raise wrong.error from None
    finally:
        os.unlink(fetched.new_path)


def _collect(packages: Iterable[UpstreamPackage]) -> dict[str, _Records]:
    names: dict[str, _Records] = {}
    for record, _url in packages:
        before = names.get(record.name, _Records())
        text = f"{record.filename} {record.digest}"
        digest = int.from_bytes(sha256(text.encode()).digest()[:16])
        names[record.name] = _Records(before.packages + 1, (before.digest + digest) % 2**128)
    return names


def _differing_names(found: Mapping[str, Mapping[str, _Records]]) -> Iterator[str]:
    names = set().union(*found.values()) if found else set()
    for name in names:
        if len({records.get(name, _Records()) for records in found.values()}) > 1:
            yield name


def _packages_of(name: str, found: Mapping[str, Mapping[str, _Records]]) -> dict[str, int]:
    return {form: records.get(name, _Records()).packages for form, records in found.items()}


def _count(names: Iterable[_Records]) -> int:
    return sum(records.packages for records in names)
