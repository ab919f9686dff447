"""What tests do with conda channels, in one call each."""

import hashlib
import io
from urllib.parse import quote
from uuid import uuid4

import msgpack
import requests
import zstandard

from tests.support import client


class TaskFailed(client.TaskFailed):
    """A task that failed with an error of ours."""

    @property
    def code(self):
        return self.error.get("error_code")

    @property
    def description(self):
        return self.error.get("description", "")


def without_indexed(records):
    """Records by file name without what this channel adds: since when it has them (CEP 47), and
    run_exports (CEP 21).
    """
    added = {"indexed_timestamp", "run_exports"}
    return {
        filename: {key: value for key, value in record.items() if key not in added}
        for filename, record in records.items()
    }


def _with_hex(records):
    return {
        filename: record
        | {key: record[key].hex() for key in ("md5", "sha256") if record.get(key) is not None}
        for filename, record in records.items()
    }


class Lifecycle:
    """The stages of a channel, with the verbs that move them. Each waits for its task, and returns
    the report.
    """

    def __init__(self, pulp, href):
        self.pulp = pulp
        self.href = href
        shown = self.read()
        self.name = shown["name"]
        self.repository = shown["repository"]
        self.urls = {stage["name"]: stage["base_url"] for stage in shown["stages"]}

    def read(self):
        return self.pulp.get(self.href)

    def stage(self, name):
        return next(stage for stage in self.read()["stages"] if stage["name"] == name)

    def state(self, name):
        return self.stage(name)["state"]

    def promote(self, stage, **options):
        return self._report("promote", stage=stage, **options)

    def promote_packages(self, stage, *specs, **options):
        return self._report("promote_packages", stage=stage, specs=list(specs), **options)

    def roll_back(self, stage, **options):
        return self._report("rollback", stage=stage, **options)

    def history(self, stage=None):
        """The entries of a stage, or all, newest first."""
        query = {"stage": stage} if stage else {}
        return self.pulp.get(f"{self.href}history/", **query)["results"]

    def set_gates(self, stage, *gates):
        stages = [
            {"name": old["name"], "gates": list(gates) if old["name"] == stage else old["gates"]}
            for old in self.read()["stages"]
        ]
        self.pulp.patch(self.href, stages=stages)

    def as_user(self, pulp):
        """The same lifecycle, for somebody else."""
        return Lifecycle(pulp, self.href)

    def _report(self, verb, **options):
        return self.pulp.post(f"{self.href}{verb}/", **options)["result"]


class CondaPulp(client.Pulp):
    """Pulp's API with the verbs of this plugin. Changes wait for their tasks."""

    def post(self, path, **json):
        return self._settled(super().post(path, **json))

    def patch(self, path, **json):
        return self._settled(super().patch(path, **json))

    def delete(self, path):
        return self._settled(super().delete(path))

    def wait(self, answer):
        try:
            return super().wait(answer)
        except client.TaskFailed as failed:
            raise TaskFailed(failed.task) from None

    def user(self, roles):
        """Make a user with roles, and return the API as that user."""
        name = f"user-{uuid4().hex[:8]}"
        made = super().post("users/", username=name, password="a-long-Password-1")
        for role in roles:
            super().post(f"{made['pulp_href']}roles/", role=role, content_object=None)
        return type(self)(self.url, name, "a-long-Password-1", api=self.api)

    # Uploads

    def upload(self, package, **fields):
        """Upload a package made by `make_package`, and return the unit."""
        return self.upload_bytes(package.filename, package.data, **fields)

    def upload_bytes(self, filename, data, **fields):
        answer = self.post_bytes("content/conda/packages/", filename, data, **fields)
        answer.raise_for_status()
        task = self.wait(answer.json())
        return self.get(self.created(task, "/content/conda/packages/"))

    def post_bytes(self, path, filename, data, **fields):
        """POST a file and return the answer, whatever it is."""
        return self.session.post(
            f"{self.url}{self.api}{path}",
            data=fields,
            files={"file": (filename, io.BytesIO(data))},
        )

    def create_package(self, **fields):
        """Make a unit of something else than a file, and return it."""
        task = self.post("content/conda/packages/", **fields)
        return self.get(self.created(task, "/content/conda/packages/"))

    def put_chunk(self, upload, chunk, start, total):
        self.session.put(
            self.url + upload,
            files={"file": ("chunk", io.BytesIO(chunk))},
            headers={"Content-Range": f"bytes {start}-{start + len(chunk) - 1}/{total}"},
        ).raise_for_status()

    # Repositories

    def start_sync(self, repository, **options):
        return super().post(f"{repository}sync/", **options)

    def sync_task(self, repository, **options):
        return self.wait(self.start_sync(repository, **options))

    def sync(self, repository, **options):
        """Sync, and return the number of the new version, or None."""
        task = self.sync_task(repository, **options)
        versions = [href for href in task["created_resources"] if "/versions/" in href]
        return int(versions[0].split("/")[-2]) if versions else None

    def modify(self, repository, add=(), remove=(), **options):
        return self.post(
            f"{repository}modify/",
            add_content_units=list(add),
            remove_content_units=list(remove),
            **options,
        )

    # Publications and distributions

    def publish(self, repository_version=None, **options):
        """Publish, and return the publication's href."""
        if repository_version:
            options["repository_version"] = repository_version
        task = self.post("publications/conda/conda/", **options)
        return self.created(task, "/publications/")

    def newest_publication(self, repository):
        found = self.get("publications/conda/conda/", repository=repository)["results"]
        return found[0]["pulp_href"]

    def distribution(self, **serves):
        name = f"channel-{uuid4().hex[:8]}"
        body = {"name": name, "base_path": f"tests/{name}", **serves}
        task = self.post("distributions/conda/conda/", **body)
        return self.get(self.created(task, "/distributions/"))

    def distribute(self, **serves):
        """Serve something at a new URL, and return the URL."""
        return self.distribution(**serves)["base_url"]

    # Lifecycles

    def lifecycle(self, repository, **fields):
        """Make a lifecycle of a repository, and return it as a `Lifecycle`."""
        name = f"team-{uuid4().hex[:8]}"
        task = self.post("conda/lifecycles/", **{"name": name, "repository": repository, **fields})
        return Lifecycle(self, self.created(task, "/lifecycles/"))

    def environment(self, repository, name, source, **fields):
        """Register an environment, and return it."""
        body = {"format": "specs", "platforms": ["linux-64", "osx-arm64"], **fields}
        task = self.post(
            "content/conda/environments/", repository=repository, name=name, source=source, **body
        )
        return self.get(self.created(task, "/environments/"))

    # Channels as clients see them

    def fetch(self, url, path, method="GET", **options):
        """Ask the content app as a client does, without a password."""
        headers = {"Accept-Encoding": "identity", **options.pop("headers", {})}
        path = path if "%" in path else quote(path, safe="/!+")
        return requests.request(method, url + path, headers=headers, timeout=60, **options)

    def names(self, url):
        """The names of all packages of a channel, sorted."""
        names = []
        for subdir in ("noarch", "linux-64"):
            answer = self.fetch(url, f"{subdir}/repodata.json")
            if answer.status_code != 404:
                repodata = answer.json()
                records = repodata["packages"] | repodata["packages.conda"]
                names += [record["name"] for record in records.values()]
        return sorted(names)

    def fetch_shards(self, url, subdir="noarch"):
        """Read all shards of a subdir, and return what they say in the form of repodata.json."""
        index = self.fetch_shard_index(url, subdir)
        repodata = {"packages": {}, "packages.conda": {}, "removed": []}
        for digest in index["shards"].values():
            answer = self.fetch(url, f"{subdir}/shards/{digest.hex()}.msgpack.zst")
            answer.raise_for_status()
            assert hashlib.sha256(answer.content).digest() == digest
            shard = msgpack.unpackb(zstandard.decompress(answer.content))
            for section in ("packages", "packages.conda"):
                repodata[section] |= _with_hex(shard[section])
            for extension, records in shard.get("v3", {}).items():
                repodata.setdefault("v3", {}).setdefault(extension, {}).update(_with_hex(records))
            repodata["removed"] += shard["removed"]
        return repodata

    def fetch_shard_index(self, url, subdir="noarch"):
        answer = self.fetch(url, f"{subdir}/repodata_shards.msgpack.zst")
        answer.raise_for_status()
        return msgpack.unpackb(zstandard.decompress(answer.content))

    # Answers that are not success

    def try_get(self, path, **params):
        return self._try("GET", path, params=params)

    def try_post(self, path, **json):
        return self._try("POST", path, json=json)

    def try_patch(self, path, **json):
        return self._try("PATCH", path, json=json)

    def try_delete(self, path):
        return self._try("DELETE", path)

    def _try(self, method, path, **options):
        url = self.url + (path if path.startswith("/") else self.api + path)
        return self.session.request(method, url, timeout=60, **options)

    def _settled(self, answer):
        return self.wait(answer) if answer and "task" in answer else answer
