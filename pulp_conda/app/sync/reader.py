"""Read the records that an upstream has, whichever form it gives them."""

import time
from collections import Counter, defaultdict
from contextlib import closing

from django.conf import settings

from pulpcore.plugin.models import ProgressReport

from pulp_conda.app.models import CondaPatch, UpstreamShards
from pulp_conda.channel import layout
from pulp_conda.channel.errors import BadShard, ChannelError, mask
from pulp_conda.channel.matchspec import PackageFilter
from pulp_conda.channel.metadata.repodata import Repodata, named_by
from pulp_conda.channel.metadata.run_exports import canonical, read_run_exports
from pulp_conda.channel.metadata.shards import MAX_SIZE, read_index, read_shard


class UpstreamReader:
    """The packages in what was fetched of an upstream, as far as a remote takes them.

    Args:
        fetched: What changed since the last sync.
        seen_before: By subdir, the `seen` of that sync. Of a shard index that it saw, only the shards that changed are
            read.

    Attributes:
        names: The package names that were looked at, by subdir, of those subdirs that were not read as a whole.
    """

    def __init__(self, upstream, remote, repository, fetched, seen_before):
        self._upstream = upstream
        self._remote = remote
        self._repository = repository
        self._fetched = fetched
        self._seen_before = seen_before
        self._filter = PackageFilter(remote.includes, remote.excludes)
        self._left_out = Counter()
        self._removed = defaultdict(set)
        self._now_ms = int(time.time() * 1000)
        self.names = {}

    def packages(self):
        """Yield (record, URL of the file)."""
        for fetched in self._fetched:
            read = self._read_shards if fetched.is_sharded else self._read_repodata
            for record, reason, url in read(fetched):
                if reason:
                    self._left_out[reason] += 1
                else:
                    yield record, layout.join_url(url, record.filename)

    def run_exports(self):
        """Yield (subdir, (file name, canonical JSON) of its packages) where they are in a file of their own."""
        for fetched in self._fetched:
            if fetched.run_exports:
                yield fetched.subdir, self._read_run_exports(fetched.run_exports)

    def patches(self, latest):
        """Return the patches to add to the latest version, and to remove from it, so that it knows what was removed."""
        before = {patch.subdir: patch for patch in CondaPatch.of_upstream(latest)}
        added, removed = [], []
        for fetched in self._fetched:
            patch = before.get(fetched.subdir)
            now = CondaPatch.for_upstream(fetched.subdir, self._removed_from(fetched.subdir, patch))
            if now != patch:
                added += [now.pk] if now else []
                removed += [patch.pk] if patch else []
        return added, removed

    def remember(self):
        """Keep the shard indexes, to compare with next time."""
        for fetched in self._fetched:
            if fetched.is_sharded:
                with open(fetched.path, "rb") as file:
                    UpstreamShards.objects.update_or_create(
                        repository=self._repository,
                        subdir=fetched.subdir,
                        defaults={"data": file.read()},
                    )

    def report(self):
        """Tell how many packages were left out, and why."""
        for reason, count in self._left_out.most_common():
            with ProgressReport(
                message=f"Left out: {reason}", code="sync.left_out", total=count, done=count
            ):
                pass

    def _read_repodata(self, fetched):
        with open(fetched.path, "rb") as file:
            repodata = Repodata(
                file,
                mask(fetched.url),
                fetched.subdir,
                settings.CONDA_MAX_REPODATA_SIZE,
                self._now_ms,
            )
            base_url = repodata.packages_url(self._remote.url)
            for record, reason in repodata.records(self._filter):
                yield record, reason, base_url
            self._note_removed(fetched.subdir, repodata.removed())

    def _read_shards(self, fetched):
        with open(fetched.path, "rb") as file:
            index = self._read_index(fetched, file.read())
        changed = index.digests
        if known := self._known_digests(index, fetched):
            changed = {name for name, digest in index.digests.items() if known.get(name) != digest}
            self.names[fetched.subdir] = changed | (known.keys() - index.digests.keys())
        names = sorted(changed)
        urls = map(index.shard_url, names)
        with closing(self._upstream.fetch_all(urls, MAX_SIZE)) as answers:
            for name, data in zip(names, answers, strict=True):
                shard = self._read_shard(index, name, data)
                for record, reason in shard.records:
                    yield record, reason, index.packages_url
                self._note_removed(fetched.subdir, shard.removed, name)

    def _read_shard(self, index, name, data):
        url = mask(index.shard_url(name))
        if isinstance(data, str):
            raise BadShard(url=url, name=name, reason=data)
        return read_shard(
            data,
            url=url,
            name=name,
            digest=index.digests[name],
            subdir=index.subdir,
            package_filter=self._filter,
            max_size=settings.CONDA_MAX_REPODATA_SIZE,
            now_ms=self._now_ms,
        )

    def _read_index(self, fetched, data):
        return read_index(
            data,
            url=mask(fetched.url),
            subdir=fetched.subdir,
            channel_url=self._remote.url,
            max_size=settings.CONDA_MAX_REPODATA_SIZE,
        )

    def _known_digests(self, index, fetched):
        """Return what the shard index of the last sync said, or None if that cannot be compared with.

        Once the packages stand elsewhere, all shards are read, for the URLs of all packages change.
        """
        if self._seen_before.get(fetched.subdir, {}).get("url") != fetched.url:
            return None
        known = UpstreamShards.objects.filter(
            repository=self._repository, subdir=fetched.subdir
        ).first()
        try:
            known = known and self._read_index(fetched, bytes(known.data))
        except ChannelError:
            return None  # from an older version of this plugin
        return known.digests if known and known.packages_url == index.packages_url else None

    def _read_run_exports(self, file):
        limit = settings.CONDA_MAX_REPODATA_SIZE
        with open(file.path, "rb") as opened:
            for filename, run_exports in read_run_exports(
                opened, url=mask(file.url), max_size=limit
            ):
                if layout.is_filename(filename):
                    yield filename, canonical(run_exports).decode()

    def _note_removed(self, subdir, filenames, name=None):
        """Note what was removed, as far as the remote takes it; what a shard says of other names does not count."""
        for filename in filenames:
            record = named_by(subdir, filename)
            if name in (None, record.name) and self._filter.reason_against(record) is None:
                self._removed[subdir].add(filename)

    def _removed_from(self, subdir, patch):
        """All that the upstream removed from a subdir, with what is known from before of names that did not change."""
        removed = set(self._removed[subdir])
        if patch and (names := self.names.get(subdir)) is not None:
            removed |= {
                filename
                for filename in patch.filenames
                if layout.parse_filename(filename).name not in names
            }
        return removed
