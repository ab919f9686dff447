"""The page of a package name, and that of one file."""

import shlex
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from itertools import groupby
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings
from django.db.models import Q

from pulpcore.plugin.models import Artifact, ContentArtifact, RepositoryContent
from pulpcore.plugin.util import get_domain_pk

from pulp_conda import pages
from pulp_conda.app.limits import package_limits
from pulp_conda.app.models import (
    BlockedFile,
    CondaDistribution,
    CondaPackage,
    CondaPackageInfo,
    CondaPatch,
    CondaSidecar,
    CondaStage,
)
from pulp_conda.app.models.publication import served_state
from pulp_conda.app.serving.browsing import known
from pulp_conda.app.serving.browsing.frame import Framer, Told
from pulp_conda.app.serving.browsing.past import Gone, files_now, gone_files, link_to
from pulp_conda.app.serving.browsing.visitor import Made, up
from pulp_conda.app.serving.channel import Served, served_now
from pulp_conda.app.versions.named import NamedFile, files_of_name
from pulp_conda.channel import layout
from pulp_conda.channel.errors import BadMatchSpec, ChannelError, PackageError
from pulp_conda.channel.layout import PageKind
from pulp_conda.channel.matchspec import Query, leading_name
from pulp_conda.channel.metadata.names import NameFacts
from pulp_conda.channel.metadata.patches import Patches
from pulp_conda.channel.package.info import read_paths
from pulp_conda.channel.records import PackageRecord
from pulp_conda.channel.versions import VersionKey
from pulp_conda.pages.facts import (
    Contents,
    Dependents,
    Elsewhere,
    File,
    FilePage,
    Need,
    Package,
    PastState,
    Said,
    Version,
)

_FILES_SHOWN = 40
_VERSIONS_SHOWN = 50
_NEEDS_SHOWN = 100
_NEEDS_OF_A_PART = 500
_PATHS_OF_A_PART = 200
_DEPENDENTS_SHOWN = 100
_CHANNELS_SHOWN = 20
_STATES_LOOKED_AT = 500
_PREFERRED = "linux-64"

# How `about.json` calls links, and what people call them.
_LINKS = {
    "home": "Home",
    "doc_url": "Docs",
    "dev_url": "Source",
    "license_url": "License text",
}


def package_page(framer: Framer, name: str, version: str | None) -> Made:
    """Return the page of a package name, or why there is none.

    Args:
        version: Whose files and dependencies to show; None for the newest.
    """
    served, visitor = framer.state, framer.visitor
    assert isinstance(served, Served)
    state = served_state(served.publication)
    patches = _patches(served, name)
    named = files_of_name(state, name)
    gone = gone_files(framer, name, [file.package for file in named])
    files = _files(served, named, patches, files_now(framer, name))
    if not files:
        return _no_package(framer, name, gone)
    groups = _by_version(files)
    index = 0
    if version is not None:
        wanted = VersionKey(version)
        index = next((i for i, group in enumerate(groups) if _key(group) == wanted), -1)
        if index < 0:
            return _no_version(framer, name, version, gone)
    chosen = groups[index]
    listed = _with_past(files, gone) if gone else groups
    shown, more, problem = _versions(
        name, listed, gone, visitor.asked("spec"), visitor.asked("before")
    )
    records = _records(state, name, chosen, patches)
    subdir = _platform(chosen, visitor.asked("platform"))
    needs, constrains = _needs(records, subdir)
    facts = known.facts_of(served.publication.pk, [name]) or {}
    about = _about(chosen)
    free = [group for group in groups if any(_is_free(file) for file in group)]
    is_newest = index == 0
    version = chosen[0].version
    installable = instead = None
    if any(_is_free(file) for file in chosen):
        installable = shlex.quote(name if is_newest else f"{name}=={version}")
    elif free:
        instead = free[0][0].version
    elsewhere, told = _elsewhere(framer, name)
    from_need = _number(visitor.asked("needs"))
    part = slice(0, _NEEDS_SHOWN)
    if from_need is not None:
        part = slice(from_need, from_need + _NEEDS_OF_A_PART)
    package = Package(
        name=name,
        chosen=version,
        is_newest=is_newest,
        newest=_newest_by_subdir(groups),
        files=chosen if visitor.asked("files") == "all" else chosen[:_FILES_SHOWN],
        file_count=len(chosen),
        needs=_checked(served, needs[part]),
        needs_of=subdir,
        needs_count=len(needs),
        needs_more=_more_needs(subdir, from_need, part.stop, len(needs)),
        is_needs_part=from_need is not None,
        platforms=sorted({file.subdir for file in chosen}),
        constrains=constrains[:_NEEDS_SHOWN],
        run_exports=_run_exports(served, chosen),
        versions=shown,
        version_count=len(groups),
        total_files=len(files),
        said=_said(about, chosen, records, facts.get(name)),
        installable=installable,
        instead=instead,
        more=more,
        spec=visitor.asked("spec"),
        spec_problem=problem,
        dependents=_dependents(served, name),
        elsewhere=elsewhere,
        blocked=sorted(
            {(file.version, file.blocked) for file in files if file.blocked is not None}
        )[:_FILES_SHOWN],
        checked=sum(file.is_here for file in chosen),
        attestations=Counter(file.attestation for file in chosen if file.attestation),
        here_since=min(file.here_since for file in chosen if file.here_since),
    )
    return Made.html(pages.render_package(framer.frame(told), package), is_personal=True)


def file_page(framer: Framer, subdir: str, filename: str) -> Made:
    """Return the page of one file, or why there is none."""
    served, visitor = framer.state, framer.visitor
    assert isinstance(served, Served)
    version = served.publication.repository_version
    package = CondaPackage.at_path([version], subdir, filename)
    if package is None:
        return _no_file(framer, subdir, filename)
    package = CondaPackage.objects.get(pk=package.pk)
    patches = _patches(served, package.name)
    state = served_state(served.publication)
    named = next(
        file
        for file in files_of_name(state, package.name)
        if (file.subdir, file.filename) == (subdir, filename)
    )
    (file,) = _files(served, [named], patches, files_now(framer, package.name))
    original = package.as_record()
    record = _patched(original, patches.get(subdir))
    needs, constrains = _needs([record], subdir)
    about = _about([file])
    root = framer.frame({}).root
    page = FilePage(
        name=package.name,
        file=file,
        href=f"{root}{layout.join_url(subdir, filename)}",
        url=layout.join_url(framer.frame({}).url, subdir, filename),
        needs=_checked(served, needs[:_NEEDS_OF_A_PART]),
        needs_count=len(needs),
        constrains=constrains[:_NEEDS_SHOWN],
        record=_lines_of(record.fields),
        said=_said(about, [file], [record], None),
        md5=record.md5,
        patches=_patch_lines(original, record),
        contents=_contents(package, _number(visitor.asked("paths")) or 0),
    )
    rail = None if not framer.stages else _rail_of_file(framer, subdir, filename)
    return Made.html(pages.render_file(framer.frame(rail), page), framer.is_personal)


def _who(framer: Framer) -> str:
    served = framer.state
    assert isinstance(served, Served)
    state = f", {served.entry.label}" if served.entry else ""
    return f"'{framer.channel.base_path}'{state}"


def _no_package(framer: Framer, name: str, gone: Sequence[Gone]) -> Made:
    links = _links_to_the_past(framer, name, gone, layout.page_path(PageKind.PACKAGE, name))
    query = pages.query_string(q=name)
    search = f"{up(framer.path)}{layout.page_path(PageKind.SEARCH)}?{query}"
    links.append((f"Search for packages like {name}", search))
    return Made(reason=f"{_who(framer)} has no package '{name}'.", links=links)


def _no_version(framer: Framer, name: str, version: str, gone: Sequence[Gone]) -> Made:
    wanted = VersionKey(version)
    of_version = [each for each in gone if VersionKey(each[0].version) == wanted]
    path = layout.page_path(PageKind.PACKAGE, name, version)
    links = _links_to_the_past(framer, f"{name} {version}", of_version, path)
    page = f"{up(framer.path)}{layout.page_path(PageKind.PACKAGE, name)}"
    links.append((f"All versions of {name}", page))
    return Made(reason=f"{_who(framer)} has no version '{version}' of '{name}'.", links=links)


def _no_file(framer: Framer, subdir: str, filename: str) -> Made:
    reason = f"{_who(framer)} has no file '{filename}' for {subdir}."
    try:
        name = layout.parse_filename(filename).name
    except ChannelError:
        return Made(reason=reason)
    gone = gone_files(framer, name, ())
    same = [each for each in gone if (each[0].subdir, each[0].filename) == (subdir, filename)]
    path = layout.page_path(PageKind.FILE, subdir, filename)
    links = _links_to_the_past(framer, filename, same, path)
    page = f"{up(framer.path)}{layout.page_path(PageKind.PACKAGE, name)}"
    links.append((f"The package {name}", page))
    return Made(reason=reason, links=links)


def _links_to_the_past(
    framer: Framer, what: str, gone: Sequence[Gone], path: str
) -> list[tuple[str, str]]:
    """Return the link to the last state that had something, if there is one.

    Args:
        path: The path of its page below the channel.
    """
    if not gone:
        return []
    past = max((past for _, past in gone), key=lambda past: past.since)
    until = f", until {past.until:%Y-%m-%d}" if past.until else ""
    return [(f"{what} as it was in {past.label}{until}", link_to(framer, past, path))]


def _with_past(files: Iterable[File], gone: Iterable[Gone]) -> list[list[File]]:
    """Return the files of each version, the newest first. A version of which the channel serves no
    file now has its files of the past.
    """
    groups = _by_version([*files, *(file for file, _ in gone)])
    return [[file for file in group if not file.is_gone] or group for group in groups]


def _files(
    served: Served,
    named: Collection[NamedFile],
    patches: Mapping[str, Patches],
    now: Collection[UUID] | None,
) -> list[File]:
    """Return what pages show of files.

    Args:
        now: Those that the channel serves now, if the page is of the past.
    """
    kept = _kept_attestations(named)
    return [
        replace(
            _file(file, patches.get(file.subdir), served, kept),
            is_gone=now is not None and file.package not in now,
        )
        for file in named
    ]


def _file(file: NamedFile, patches: Patches | None, served: Served, kept: Collection[str]) -> File:
    is_withheld = file.sha256 in served.publication.withheld
    blocked = file.blocked
    if blocked is None and is_withheld:
        blocked = ""
    return File(
        subdir=file.subdir,
        filename=file.filename,
        version=file.version,
        build=file.build,
        build_number=file.build_number,
        size=file.size,
        sha256=file.sha256,
        built=_moment(file.timestamp),
        here_since=file.since,
        is_here=file.is_here,
        blocked=blocked,
        is_hidden=patches is not None and patches.is_removed(file.filename),
        is_patched=patches is not None and file.filename in patches.targets(),
        attestation=_attestation(file, kept),
    )


def _attestation(file: NamedFile, kept: Collection[str]) -> str:
    """Return what is known of the attestation that a record names, in a word.

    Args:
        kept: The digests of the attestations that are here.
    """
    if not file.attestations_sha256:
        return ""
    if file.attestations_sha256 not in kept:
        return "claimed"
    # What came while nothing was verified is not known.
    return "verified" if settings.CONDA_VERIFY_MIRRORED_ATTESTATIONS else "not checked"


def _kept_attestations(files: Iterable[NamedFile]) -> set[str]:
    digests = {file.attestations_sha256 for file in files} - {""}
    if not digests:
        return set()
    sidecars = CondaSidecar.objects.filter(pulp_domain=get_domain_pk(), sha256__in=digests)
    return set(sidecars.values_list("sha256", flat=True))


def _moment(milliseconds: int | None) -> datetime | None:
    if not milliseconds:
        return None
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _patches(served: Served, name: str) -> dict[str, Patches]:
    """Return the patches that can be about files of a name, by subdir."""
    state, published = served_state(served.publication), served.publication.pulp_created
    # In two steps: PostgreSQL might read the texts of all patches that there are.
    keys = CondaPatch.active_keys(state, published)
    rows = CondaPatch.objects.filter(pk__in=keys, instructions__contains=f'"{name}-')
    return CondaPatch.merged(list(map(str, rows.values_list("pk", flat=True))))


def _patched(record: PackageRecord, patches: Patches | None) -> PackageRecord:
    if patches is None:
        return record
    text = patches.apply(record.filename, record.canonical).decode()
    return PackageRecord.from_canonical(record.subdir, record.filename, text, record.in_v3)


def _key(group: Sequence[File]) -> VersionKey:
    return VersionKey(group[0].version)


def _by_version(files: Iterable[File]) -> list[list[File]]:
    """Return the files of each version, the newest first. Versions that are equal for conda are
    one.
    """
    in_order = sorted(
        files,
        key=lambda file: (VersionKey(file.version), file.build_number),
        reverse=True,
    )
    groups: list[list[File]] = []
    for file in in_order:
        if groups and _key(groups[-1]) == VersionKey(file.version):
            groups[-1].append(file)
        else:
            groups.append([file])
    return [sorted(group, key=lambda file: (file.subdir, file.build)) for group in groups]


def _versions(
    name: str, groups: Sequence[list[File]], gone: Sequence[Gone], spec: str, before: str
) -> tuple[list[Version], str | None, str]:
    """Return a part of the versions, the query of the next part or None, and what is wrong with
    the spec.
    """
    problem = ""
    if spec:
        try:
            query = Query(f"{name} {spec}")
        except BadMatchSpec as error:
            problem = str(error)
        else:
            groups = [group for group in groups if any(map(_matcher(name, query), group))]
    if before:
        groups = [group for group in groups if _key(group) < VersionKey(before)]
    pasts = {(file.subdir, file.filename, file.sha256): past for file, past in gone}
    shown = [_version(group, pasts) for group in groups[:_VERSIONS_SHOWN]]
    more = None
    if len(groups) > len(shown):
        more = pages.query_string(spec=spec, before=shown[-1].version)
    return shown, more, problem


def _matcher(name: str, query: Query) -> Any:
    def matches(file: File) -> bool:
        record = PackageRecord(
            file.subdir,
            file.filename,
            {
                "name": name,
                "version": file.version,
                "build": file.build,
                "build_number": file.build_number,
                "sha256": file.sha256,
            },
        )
        return query.matches(record)

    return matches


def _version(group: Sequence[File], pasts: Mapping[tuple[str, str, str], PastState]) -> Version:
    """Return what the list of versions shows of one.

    Args:
        pasts: By subdir, file name and digest, the last states of files that are gone.
    """
    states = [pasts.get((file.subdir, file.filename, file.sha256)) for file in group]
    had = [state for state in states if state is not None]
    marks = Counter(mark for file in group for mark in file.marks)
    return Version(
        version=group[0].version,
        files=len(group),
        subdirs=sorted({file.subdir for file in group}),
        size=sum(file.size or 0 for file in group),
        built=max((file.built for file in group if file.built), default=None),
        marks=list(marks),
        past=max(had, key=lambda state: state.since) if len(had) == len(group) else None,
    )


def _newest_by_subdir(groups: Sequence[Sequence[File]]) -> dict[str, str]:
    newest: dict[str, str] = {}
    for group in groups:
        for file in group:
            if not file.is_hidden:
                newest.setdefault(file.subdir, file.version)
    return dict(sorted(newest.items()))


def _is_free(file: File) -> bool:
    return file.blocked is None and not file.is_hidden


def _records(
    state: Any, name: str, chosen: Sequence[File], patches: Mapping[str, Patches]
) -> list[PackageRecord]:
    """Return the records of files as clients read them, of at most as many as need to be read."""
    wanted = {(file.subdir, file.filename) for file in chosen if not file.is_hidden}
    packages = state.having(
        CondaPackage.objects.filter(
            _pulp_domain=get_domain_pk(),
            name=name,
            filename__in={filename for _subdir, filename in wanted},
        )
    )
    return [
        _patched(package.as_record(), patches.get(package.subdir))
        for package in packages.order_by("subdir", "filename")
        if (package.subdir, package.filename) in wanted
    ]


def _platform(chosen: Sequence[File], asked: str) -> str:
    subdirs = {file.subdir for file in chosen}
    return next(
        (subdir for subdir in (asked, _PREFERRED, layout.NOARCH) if subdir in subdirs),
        min(subdirs),
    )


def _needs(records: Iterable[PackageRecord], subdir: str) -> tuple[list[Need], list[str]]:
    """Return what the files of a subdir need, and what may not be beside them."""
    specs: dict[str, dict[str, None]] = {}
    constrains: dict[str, None] = {}
    for record in records:
        if record.subdir != subdir:
            continue
        for dependency in record.depends:
            name = leading_name(dependency) or dependency
            rest = dependency.removeprefix(name).strip()
            specs.setdefault(name, {})[rest] = None
        listed = record.fields.get("constrains")
        constrains |= dict.fromkeys(map(str, listed if isinstance(listed, list) else ()))
    by_spec: dict[tuple[bool, tuple[str, ...]], list[str]] = {}
    for name in sorted(specs):
        by_spec.setdefault((name.startswith("__"), tuple(specs[name])), []).append(name)
    needs = [
        Need(names=[name], specs=of_all, is_virtual=is_virtual)
        for (is_virtual, of_all), names in by_spec.items()
        for name in names
    ]
    return sorted(needs, key=lambda need: (need.is_virtual, need.names)), sorted(constrains)


def _more_needs(subdir: str, start: int | None, stop: int, count: int) -> str | None:
    """Return the query of the next part of the dependencies, or None behind the last one.

    Args:
        start: Where this part begins; None for the few that are shown at first.
    """
    if stop >= count:
        return None
    return pages.query_string(platform=subdir, needs="0" if start is None else str(stop))


def _checked(served: Served, needs: Sequence[Need]) -> list[Need]:
    """Return needs that say whether the channel has them, joined if they ask the same."""
    names = [name for need in needs for name in need.names if not need.is_virtual]
    found = known.facts_of(served.publication.pk, names)
    joined: list[Need] = []
    for (specs, is_virtual, is_missing), some in groupby(
        sorted(needs, key=lambda need: (need.is_virtual, list(need.specs), need.names)),
        key=lambda need: (
            tuple(need.specs),
            need.is_virtual,
            found is not None and not need.is_virtual and need.names[0] not in found,
        ),
    ):
        names = [name for need in some for name in need.names]
        joined.append(Need(names, specs, is_virtual, is_missing))
    return sorted(joined, key=lambda need: (need.is_virtual, need.names))


def _about(chosen: Sequence[File]) -> dict[str, Any]:
    """Return what the newest read file of these says of itself, or nothing."""
    infos = CondaPackageInfo.objects.filter(
        pulp_domain=get_domain_pk(),
        sha256__in=[file.sha256 for file in chosen],
        about__isnull=False,
    )
    return next(iter(infos.order_by("-read_at").values_list("about", flat=True)[:1]), {})


def _said(
    about: Mapping[str, Any],
    chosen: Sequence[File],
    records: Sequence[PackageRecord],
    facts: NameFacts | None,
) -> Said:
    def text(key: str) -> str:
        value = about.get(key)
        return value if isinstance(value, str) else ""

    links = [
        (word, url)
        for key, word in _LINKS.items()
        for url in _texts(about.get(key)) or _texts(getattr(facts, key, ""))
    ]
    links += [("Sources", url) for url in (facts.source_urls if facts else ())]
    extra = about.get("extra")
    maintainers = extra.get("recipe-maintainers") if isinstance(extra, dict) else ()
    return Said(
        summary=text("summary") or (facts.summary if facts else ""),
        description=text("description"),
        license=next((record.license for record in records if record.license), ""),
        links=links[:10],
        maintainers=_texts(maintainers)[:20],
    )


def _texts(value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [text for text in values if isinstance(text, str) and text]


def _run_exports(served: Served, chosen: Sequence[File]) -> dict[str, list[str]]:
    """Return what the files of a version add to what is built with them, by kind."""
    known_then = served_state(served.publication).made
    infos = CondaPackageInfo.objects.filter(
        pulp_domain=get_domain_pk(),
        sha256__in=[file.sha256 for file in chosen],
        run_exports__isnull=False,
        run_exports_known_at__lte=known_then,
    )
    merged: dict[str, dict[str, None]] = {}
    for text in infos.values_list("run_exports", flat=True).distinct()[:_FILES_SHOWN]:
        for kind, specs in orjson.loads(text).items():
            merged.setdefault(kind, {}).update(dict.fromkeys(_texts(specs)))
    return {kind: list(specs) for kind, specs in sorted(merged.items()) if specs}


def _dependents(served: Served, name: str) -> Dependents | None:
    found = known.dependents(served.publication.pk, name, _DEPENDENTS_SHOWN)
    return None if found is None else Dependents(found.count, found.names)


def _elsewhere(framer: Framer, name: str) -> tuple[list[Elsewhere], dict[Any, Told]]:
    """Return in which other channels the package is, and what the rail says, both as far as the
    visitor may read them.
    """
    told: dict[Any, Told] = {}
    for stage in framer.stages:
        current = stage.current
        version = _newest_version(current.publication_id, name) if current else None
        if current and version:
            told[stage.pk] = (version, _since(stage, name, version) or current.moved_at, True)
    others = CondaDistribution.objects.filter(pulp_domain=get_domain_pk())
    others = others.exclude(pk=framer.channel.pk)
    others = others.exclude(stage__in=[stage.pk for stage in framer.all_stages])
    repositories = (
        RepositoryContent.objects.filter(
            content__in=CondaPackage.objects.filter(name=name, _pulp_domain=get_domain_pk()).values(
                "pk"
            )
        )
        .values("repository")
        .distinct()
    )
    others = others.filter(
        Q(repository__in=repositories)
        | Q(repository_version__repository__in=repositories)
        | Q(publication__repository_version__repository__in=repositories)
    )
    found: list[Elsewhere] = []
    for channel in others.select_related("stage", "content_guard").order_by("base_path"):
        if len(found) == _CHANNELS_SHOWN:
            break
        if not framer.may_read(channel) or (state := served_now(channel)) is None:
            continue
        if version := _newest_version(state.publication.pk, name):
            since, _ = state.find_date()
            href = framer.href(channel, layout.page_path(PageKind.PACKAGE, name))
            found.append(Elsewhere(channel.base_path, href, version, since))
    return found, told


def _newest_version(publication: Any, name: str) -> str | None:
    facts = known.facts_of(publication, [name]) if publication else None
    return facts[name].version if facts and name in facts else None


def _since(stage: CondaStage, name: str, version: str) -> datetime | None:
    """Return since when a stage has a version without a break, or None if nobody can say.

    States are compared with the versions of the repository in which the files came and went.
    """
    current = stage.current
    if current is None or current.fix:
        return None
    memberships = RepositoryContent.objects.filter(
        repository=stage.lifecycle.repository_id,
        content__in=CondaPackage.objects.filter(
            name=name, version=version, _pulp_domain=get_domain_pk()
        ).values("pk"),
    ).values_list("version_added__number", "version_removed__number")
    spans = list(memberships)
    since = None
    states = stage.states.values_list("version", "fix", "moved_at")[:_STATES_LOOKED_AT]
    for number, fix, moved_at in states:
        has_it = any(
            added <= number and (removed is None or number < removed) for added, removed in spans
        )
        if fix or not has_it:
            break
        since = moved_at
    return since


def _rail_of_file(framer: Framer, subdir: str, filename: str) -> dict[Any, Told]:
    told: dict[Any, Told] = {}
    for stage in framer.stages:
        current = stage.current
        if current is None or current.publication is None:
            continue
        state = served_state(current.publication)
        packages = CondaPackage.objects.filter(
            _pulp_domain=get_domain_pk(), subdir=subdir, filename=filename
        )
        if state.having(packages).exists():
            told[stage.pk] = (current.label, current.moved_at, True)
    return told


def _patch_lines(before: PackageRecord, after: PackageRecord) -> list[tuple[str, str, str]]:
    keys = sorted(before.fields.keys() | after.fields.keys())
    return [
        (key, _one_line(before.fields, key), _one_line(after.fields, key))
        for key in keys
        if before.fields.get(key) != after.fields.get(key)
    ]


def _one_line(fields: Mapping[str, Any], key: str) -> str:
    return orjson.dumps(fields[key]).decode() if key in fields else ""


def _lines_of(fields: Mapping[str, Any]) -> str:
    option = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS
    return orjson.dumps(fields, option=option).decode()


def _contents(package: CondaPackage, start: int) -> Contents:
    artifact = (
        ContentArtifact.objects.filter(content=package.pk, artifact__isnull=False)
        .values_list("artifact", flat=True)
        .first()
    )
    if BlockedFile.are_any_blocked([package.sha256]):
        return Contents(reason="The file is blocked, so nobody looks into it.")
    if artifact is None:
        return Contents(
            reason="The bytes are not here yet. The first download fetches them, and checks them."
        )
    if not package.filename.endswith(".conda"):
        return Contents(reason="What is in a .tar.bz2 is only known after all of it is unpacked.")
    try:
        paths = _paths_in(artifact, package.filename)
    except (PackageError, FileNotFoundError):
        return Contents(reason="The list of its files cannot be read.")
    part = paths[start : start + _PATHS_OF_A_PART]
    end = start + len(part)
    more = f"paths={end}#contents" if end < len(paths) else None
    return Contents(part, len(paths), more)


@lru_cache(maxsize=16)
def _paths_in(artifact_pk: Any, filename: str) -> list[tuple[str, int | None]]:
    artifact = Artifact.objects.get(pk=artifact_pk)
    with artifact.file.open() as file:
        return read_paths(file, filename=filename, size=artifact.size, limits=package_limits())


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 8 else None
