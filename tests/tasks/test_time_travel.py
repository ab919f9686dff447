"""A stage as it was: every file of the past, and what is said of moments that nobody can see."""

import base64
import hashlib
import io
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin
from uuid import uuid4
from xml.etree import ElementTree

import msgpack
import pytest
import requests
import zstandard

from tests.support import client
from tests.support.builders import make_channel, make_package
from tests.support.upstream import Upstream

INDEX = "noarch/repodata.json"
FILES = (
    INDEX,
    "noarch/repodata.json.zst",
    "noarch/repodata_shards.msgpack.zst",
    "noarch/run_exports.json",
    "noarch/run_exports.json.zst",
    "channeldata.json",
)
SETTLED = "public, max-age=3600, must-revalidate"
REVALIDATED = "public, max-age=0, must-revalidate"


@dataclass
class Past:
    """A stage that served a package, and now serves another one under the same name.

    Attributes:
        url: Of the stage, without the slash at its end.
        files: What each state gave, by label and path.
    """

    pulp: object
    lifecycle: object
    url: str
    files: dict
    packages: dict

    def at(self, moment, path=INDEX, method="GET", **options):
        return self.pulp.fetch(f"{self.url}/at/{moment}/", path, method, **options)

    @property
    def id(self):
        return self.lifecycle.href.split("/")[-2]

    def now(self, path=INDEX, **options):
        return self.pulp.fetch(f"{self.url}/", path, **options)


def _shift(stack, lifecycle, age):
    """Let all that a lifecycle knows have happened earlier."""
    lifecycle_id = lifecycle.href.split("/")[-2]
    with stack.connect() as database:
        database.execute(
            "UPDATE conda_historyentry SET moved_at = moved_at - %s, until = until - %s"
            " WHERE lifecycle_id = %s",
            (age, age, lifecycle_id),
        )


@pytest.fixture(scope="module")
def past(pulp, tmp_path_factory):
    """A lifecycle whose `testing` was at v1 and is at v2: other bytes under the same name, on
    demand.
    """
    name = f"same-{uuid4().hex[:8]}"
    packages = {
        label: make_package(name, files={"share/word": label.encode()}) for label in ("v1", "v2")
    }
    with Upstream(tmp_path_factory.mktemp("upstream")) as upstream:
        remote = pulp.post("remotes/conda/conda/", name=name, url=upstream.url)["pulp_href"]
        repository = pulp.post(
            "repositories/conda/conda/", name=name, remote=remote, autopublish=True
        )["pulp_href"]
        lifecycle = pulp.lifecycle(repository)
        url = lifecycle.urls["testing"]
        files = {}
        for label, package in packages.items():
            make_channel(upstream.folder, [package])
            pulp.sync(repository)
            lifecycle.promote("testing")
            # Before the upstream replaces the bytes.
            paths = [*FILES, f"noarch/{package.filename}"]
            files[label] = {path: pulp.fetch(url, path).content for path in paths}
    return Past(pulp, lifecycle, url.rstrip("/"), files, packages)


@pytest.fixture
def moving(past, copied):
    """The same, for a test that changes it."""
    return past


def test_every_file_of_the_past_comes_byte_for_byte(past):
    assert past.files["v1"][INDEX] != past.files["v2"][INDEX]
    for label, files in past.files.items():
        for path, content in files.items():
            assert past.at(label, path).content == content, (label, path)
        package = past.packages[label]
        assert files[f"noarch/{package.filename}"] == package.data
        index = msgpack.unpackb(zstandard.decompress(files["noarch/repodata_shards.msgpack.zst"]))
        for digest in index["shards"].values():
            shard = past.at(label, f"noarch/shards/{digest.hex()}.msgpack.zst")
            assert hashlib.sha256(shard.content).digest() == digest
    # The plain URL has the bytes of what it serves now.
    assert past.now(f"noarch/{package.filename}").content == package.data


def test_a_moment_is_what_was_served_then(moving, stack):
    moves = {1: "2020-03-01T10:00:00.5Z", 2: "2020-03-03T12:00:00.5Z"}
    with stack.connect() as database:
        for version, moved_at in moves.items():
            database.execute(
                "UPDATE conda_historyentry SET moved_at = %s, until = %s"
                " WHERE lifecycle_id = %s AND version = %s AND kind = 'promoted'",
                (moved_at, moves.get(version + 1), moving.id, version),
            )
    moving.lifecycle.roll_back("testing")
    now = datetime.now(UTC)
    moments = {
        "2020-02-29": None,
        "2020-03-01T09:59:59Z": None,
        "2020-03-01T10:00:00Z": "v1",
        "2020-03-01": "v1",
        "2020-03-02": "v1",
        "2020-03-03T11:59:59Z": "v1",
        "2020-03-03T12:00:00Z": "v2",
        "2020-03-03": "v2",
        "2020-03-04": "v2",
        f"{now:%Y-%m-%d}": "v1",
        f"{now:%Y-%m-%dT%H:%M:%SZ}": "v1",
        "v1": "v1",
        "v2": "v2",
    }
    for moment, label in moments.items():
        answer = moving.at(moment)
        if label:
            assert answer.content == moving.files[label][INDEX], moment
        else:
            assert "it served nothing before 2020-03-01T10:00:00Z" in answer.text


def test_bytes_that_only_the_past_has_come_on_demand(pulp, upstream, make_mirror, unique):
    mirror = make_mirror(policy="on_demand")
    lifecycle = pulp.lifecycle(mirror.repository)
    old, new = (make_package(f"away-{unique}", version) for version in ("1.0", "2.0"))
    for package in (old, new):
        make_channel(upstream.folder, [package])
        pulp.sync(mirror.repository)
    url = f"{lifecycle.urls['unstable']}at/v1/"
    assert upstream.asked(old.filename) == []
    for _ in range(2):
        assert pulp.fetch(url, f"noarch/{old.filename}").content == old.data
    assert upstream.asked(old.filename) == [200]


def test_a_single_fix_has_a_state_of_its_own(moving, stack):
    with stack.connect() as database:
        database.execute(
            "UPDATE conda_historyentry SET fix = 1 WHERE until IS NULL AND lifecycle_id = %s"
            " AND kind = 'promoted'",
            (moving.id,),
        )
    assert moving.at("v2.1").content == moving.files["v2"][INDEX]
    assert moving.at("v2").status_code == 404


def _without_ways(page):
    return re.sub(rb"(\.\./)+", b"", page)


@pytest.mark.parametrize(
    "spelling", ["@{}", "%40{}", "/@{}", "/%40{}"], ids=["at", "escaped", "slash", "both"]
)
def test_every_spelling_of_the_past_gives_the_same_bytes(past, spelling):
    package = f"noarch/{past.packages['v1'].filename}"
    for path in (*FILES, package, "", "noarch/", "notices.json", "history.atom"):
        wanted = past.at("v1", path)
        given = requests.get(f"{past.url}{spelling.format('v1')}/{path}", timeout=60)
        assert given.status_code == 200
        if path in ("", "noarch/"):
            # Only the ways to other pages differ.
            assert _without_ways(given.content) == _without_ways(wanted.content), path
        else:
            assert given.content == wanted.content, path
            assert given.headers["ETag"] == wanted.headers["ETag"]
        assert given.history == []  # no redirect
        assert b"@v1" not in given.content, path


@pytest.mark.parametrize("moment", ["2020-03-03T12:00:00Z", "2020-03-03t12:00:00+00:00"])
def test_a_moment_is_written_in_letters_of_a_channel_name(moving, stack, moment):
    with stack.connect() as database:
        database.execute(
            "UPDATE conda_historyentry SET moved_at = '2020-03-01' WHERE lifecycle_id = %s"
            " AND version = 1 AND kind = 'promoted'",
            (moving.id,),
        )
    page = moving.at("2020-03-03t120000z", "")
    assert f"--channel {moving.url}/at/2020-03-03t120000z " in page.text
    assert moving.at(moment, "").content == page.content
    assert moving.at("V1", "").content == moving.at("v1", "").content
    answer = requests.get(f"{moving.url}/at/{moment}", timeout=60)
    assert answer.url == f"{moving.url}/at/2020-03-03t120000z/"
    answer = requests.get(f"{moving.url}@V1", timeout=60)
    assert answer.url == f"{moving.url}@v1/"


@pytest.mark.parametrize(
    "moment, code",
    [
        ("v7", "CND0036"),
        ("v1.1", "CND0036"),
        ("2001-01-01", "CND0036"),
        ("2001-01-01T00:00:00Z", "CND0036"),
        ("2999-01-01", "CND0059"),
        ("yesterday", "CND0058"),
        ("2026-02-30", "CND0058"),
        ("2026-03-03T12:00:00+02:00", "CND0058"),
        ("v99999999999", "CND0058"),
        ("v1@v2", "CND0058"),
        ("@v1", "CND0058"),
        ("%40v1", "CND0058"),
        ("2020-03-03t1200z", "CND0058"),
        ("<script>", "CND0058"),
        ("", "CND0058"),
        ("x" * 4000, "CND0058"),
    ],
)
def test_a_moment_that_nobody_can_see_is_a_404_that_says_why(past, moment, code):
    for path in (INDEX, "", "noarch/other-1.0-0.conda"):
        answer = past.at(moment, path)
        assert answer.status_code == 404
        assert answer.text.startswith(f"404: [{code}] "), answer.text
        assert answer.headers["Content-Type"].startswith("text/plain")
        assert "Cache-Control" not in answer.headers and len(answer.text) < 1000


def test_what_a_state_does_not_have_is_a_plain_404(past):
    for path in ("noarch/absent-1.0-0.conda", "noarch/absent.json", "absent/repodata.json", "@/x"):
        answer = past.at("v1", path)
        assert (answer.status_code, answer.text) == (404, "404: Not Found")


@pytest.mark.parametrize("past", ["at/v1/", "at/v1", "at/", "at", "at/soon/", "@v1/"])
def test_a_channel_without_a_lifecycle_has_no_past(pulp, make_repository, past):
    url = pulp.distribute(repository=make_repository(autopublish=True))
    for path in (INDEX, "")[not past.endswith("/") :]:
        answer = pulp.fetch(f"{url}{past}", path)
        assert answer.status_code == 404 and answer.text.startswith("404: [CND0060] ")
        assert "pulp conda lifecycle create" in answer.text


def test_a_past_state_can_be_kept_an_hour_and_the_present_not(moving, stack):
    _shift(stack, moving.lifecycle, timedelta(days=10))
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    yesterday = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}"
    just_now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    expected = {"v1": SETTLED, "v2": REVALIDATED, yesterday: SETTLED}
    expected |= {today: REVALIDATED, just_now: REVALIDATED}
    for moment, header in expected.items():
        assert moving.at(moment).headers["Cache-Control"] == header, moment
    assert moving.at("v1", "notices.json").headers["Cache-Control"] == REVALIDATED
    assert (
        "immutable"
        in moving.at("v1", f"noarch/{moving.packages['v1'].filename}").headers["Cache-Control"]
    )


def test_conditions_and_ranges_are_those_of_the_plain_url(past):
    for path in (INDEX, f"noarch/{past.packages['v1'].filename}", ""):
        whole = past.at("v1", path)
        head = past.at("v1", path, "HEAD")
        assert head.content == b"" and head.headers["ETag"] == whole.headers["ETag"]
        assert whole.headers["ETag"] == f'"{hashlib.sha256(whole.content).hexdigest()}"'
        known = {"If-None-Match": whole.headers["ETag"]}
        assert past.at("v1", path, headers=known).status_code == 304
        # The tag of another state.
        assert past.at("v2", path, headers=known).status_code == 200
        part = past.at("v1", path, headers={"Range": "bytes=-7"})
        assert (part.status_code, part.content) == (206, whole.content[-7:])
    dated = {"If-Modified-Since": past.at("v1").headers["Last-Modified"]}
    assert past.at("v1", headers=dated).status_code == 304


def test_a_date_of_a_stage_proves_nothing_after_a_rollback(moving):
    first = moving.now()
    known = {"If-Modified-Since": first.headers["Last-Modified"]}
    assert first.content == moving.files["v2"][INDEX]
    moving.lifecycle.roll_back("testing")
    answer = moving.now(headers=known)
    assert (answer.status_code, answer.content) == (200, moving.files["v1"][INDEX])
    moving.lifecycle.promote("testing")
    answer = moving.now(headers={"If-Modified-Since": answer.headers["Last-Modified"]})
    assert (answer.status_code, answer.content) == (200, first.content)
    moved = datetime.fromisoformat(moving.lifecycle.stage("testing")["since"])
    assert parsedate_to_datetime(answer.headers["Last-Modified"]) == moved.replace(microsecond=0)


def test_two_states_of_one_second_are_not_told_apart_by_date(moving, stack):
    with stack.connect() as database:
        database.execute(
            "UPDATE conda_historyentry SET moved_at = date_trunc('second', now())"
            " + interval '1 millisecond' * number WHERE lifecycle_id = %s",
            (moving.id,),
        )
    answer = moving.now()
    known = {"If-Modified-Since": answer.headers["Last-Modified"]}
    assert moving.now(headers=known).status_code == 200


def test_packages_and_shards_of_every_kept_state_stay_at_the_plain_url(
    pulp, stack, make_repository, make_packages
):
    repository = make_repository(autopublish=True)
    one, two = make_packages("one", "two")
    pulp.modify(repository, add=[one])
    lifecycle = pulp.lifecycle(repository)
    url = lifecycle.urls["unstable"]
    (filename,) = pulp.fetch(url, INDEX).json()["packages.conda"]
    (digest,) = pulp.fetch_shard_index(url)["shards"].values()
    pulp.modify(repository, add=[two], remove=[one])
    with stack.connect() as database:
        # The week that pulpcore keeps what was replaced is over.
        database.execute(
            "DELETE FROM core_distributedpublication WHERE distribution_id = %s",
            (lifecycle.stage("unstable")["distribution"].split("/")[-2],),
        )
    paths = [f"noarch/{filename}", f"noarch/shards/{digest.hex()}.msgpack.zst"]
    for path in paths:
        assert pulp.fetch(url, path).status_code == 200

    pulp.patch(lifecycle.href, retain_days=30)
    _shift(stack, lifecycle, timedelta(days=31))
    with stack.connect() as database:
        database.execute(
            "UPDATE conda_historyentry SET until = until - interval '1 second'"
            " WHERE lifecycle_id = %s",
            (lifecycle.href.split("/")[-2],),
        )
    for path in paths:
        assert pulp.fetch(url, path).status_code == 404
    answer = pulp.fetch(f"{url}at/v1/", INDEX)
    assert answer.status_code == 404
    assert "CND0036" in answer.text and "30 days" in answer.text


def test_a_guard_keeps_the_past_as_well(moving, unique):
    guard = moving.pulp.post(
        "contentguards/core/header/", name=unique, header_name="X-Key", header_value="open"
    )
    key = {"X-Key": base64.b64encode(b"open").decode()}
    distribution = moving.lifecycle.stage("testing")["distribution"]
    moving.pulp.patch(distribution, content_guard=guard["pulp_href"])
    for moment in ("v1", "v7", "yesterday"):
        for path in (INDEX, f"noarch/{moving.packages['v1'].filename}", "", "history.atom"):
            assert moving.at(moment, path).status_code == 403
    assert moving.at("v1", headers=key).content == moving.files["v1"][INDEX]
    assert moving.at("v7", headers=key).status_code == 404
    for past in ("/at/v1", "@v1", "/at/", "/at", "/@v1", f"@v1/{INDEX}", f"/@v1/{INDEX}"):
        answer = requests.get(f"{moving.url}{past}", timeout=60, allow_redirects=False)
        assert answer.status_code == 403, past


def test_a_missing_slash_is_added(past):
    for end in ("/at/v1", "/at/v1/noarch", "@v1", "@v1/noarch", "/@v1", "/@v1/noarch"):
        url = f"{past.url}{end}"
        answer = requests.get(url, timeout=60)
        assert (answer.status_code, answer.url) == (200, f"{url}/")
        (redirect,) = answer.history
        assert redirect.status_code == 301


def test_paths_of_others_stay_theirs(pulp, past, unique):
    # npm and Go have paths with an at; a file of pulp_file can have any.
    name = f"npm-{unique}"
    artifact = client.Pulp.upload(pulp, "artifacts/", io.BytesIO(b"theirs"))["pulp_href"]
    repository = pulp.post("repositories/file/file/", name=name, autopublish=True)["pulp_href"]
    paths = ["@scope/pkg@1.0.tgz", "mod/@v/list", f"team@v1/{INDEX}", f"team/at/v1/{INDEX}"]
    for path in paths:
        pulp.post(
            "content/file/files/", artifact=artifact, relative_path=path, repository=repository
        )
    task = pulp.post("distributions/file/file/", name=name, base_path=name, repository=repository)
    url = pulp.get(pulp.created(task, "/distributions/"))["base_url"]
    for path in paths:
        assert pulp.fetch(url, path).content == b"theirs"
    assert pulp.fetch(f"{url[:-1]}@v1/", INDEX).text == "404: Not Found"
    folder = past.url.rpartition("/")[0]
    for url in (
        f"{past.url}/noarch@v1/",
        f"{past.url}/noarch/at/v1/",
        f"{past.url}/att/v1/",
        f"{past.url}/AT/v1/",
        f"{past.url}/at/v1/at/v1/",
        f"{past.url}@v1/at/v1/",
        f"{folder}@v1/",
        f"{folder}/absent@v1/",
        f"{folder}/at/v1/",
    ):
        answer = pulp.fetch(url, INDEX)
        assert (answer.status_code, answer.text) == (404, "404: Not Found"), url


def test_checkpoints_are_read_by_date_as_before(pulp, make_repository, make_packages):
    repository = make_repository()
    (one,) = make_packages("one")
    pulp.modify(repository, add=[one])
    publication = pulp.get(pulp.publish(repository=repository, checkpoint=True))
    url = pulp.distribute(repository=repository, checkpoint=True)
    date = datetime.fromisoformat(publication["pulp_created"]).strftime("%Y%m%dT%H%M%SZ")
    assert len(pulp.names(f"{url}{date}/")) == 1
    for past in (f"at/{date}/", f"@{date}/"):
        answer = pulp.fetch(f"{url}{past}", INDEX)
        assert answer.status_code == 404 and "CND0060" in answer.text


def test_notices_of_the_past_are_those_of_now(moving):
    notice = {"message": "Move.", "level": "info", "expires_at": "2999-01-31T00:00:00Z"}
    moving.pulp.patch(moving.lifecycle.stage("testing")["distribution"], notices=[notice])
    assert moving.at("v1", "notices.json").json()["notices"][0]["message"] == "Move."


def test_a_page_says_which_state_it_shows(past):
    now, then = past.now("").text, past.at("v1", "").text
    assert ">v2</bdi>" in now and "This is the past" not in now and "/history.atom" in now
    assert f"--channel {past.url}/at/v1 " in then and "served v1 from" in then
    (link,) = re.findall('<a href="([^"]*)">See it as it is now', then)
    assert past.pulp.fetch(urljoin(f"{past.url}/at/v1/", link), "").text == now
    assert past.at("v1", "noarch/").status_code == 200


def test_a_feed_tells_what_moved_and_not_who(moving):
    moving.lifecycle.roll_back("testing", reason="secret")
    answer = moving.now("history.atom")
    assert answer.headers["Content-Type"] == "application/atom+xml"
    assert answer.headers["Cache-Control"] == REVALIDATED
    assert "secret" not in answer.text and "admin" not in answer.text
    atom = "{http://www.w3.org/2005/Atom}"
    feed = ElementTree.fromstring(answer.content)
    assert feed.findtext(f"{atom}id") == f"{moving.url}/history.atom"
    titles = [entry.findtext(f"{atom}title") for entry in feed.iter(f"{atom}entry")]
    assert titles == [
        "testing was rolled back to v1",
        "testing was promoted to v2",
        "testing was promoted to v1",
    ]
    texts = [entry.findtext(f"{atom}content") for entry in feed.iter(f"{atom}entry")]
    assert texts[2].startswith("1 new\nsame-")
    known = {"If-None-Match": answer.headers["ETag"]}
    assert moving.now("history.atom", headers=known).status_code == 304


def test_only_a_stage_has_a_feed(pulp, make_repository):
    url = pulp.distribute(repository=make_repository(autopublish=True))
    assert pulp.fetch(url, "history.atom").status_code == 404


@pytest.mark.parametrize("name", ["{}/at", "{}/at/v1", "at/{}", "{}/at/v1/at"])
def test_a_channel_with_at_in_its_name_has_a_past(pulp, make_repository, make_packages, name):
    base_path = name.format(f"up-{uuid4().hex[:8]}")
    repository = make_repository(autopublish=True)
    one, two = make_packages("one", "two")
    pulp.modify(repository, add=[one])
    stage = pulp.distribution(repository=repository, base_path=base_path)
    url = stage["base_url"]
    before = pulp.fetch(url, INDEX).content
    pulp.lifecycle(
        repository,
        stages=[{"name": "first", "distribution": stage["pulp_href"]}, {"name": "second"}],
    )
    pulp.modify(repository, add=[two])
    assert len(pulp.names(url)) == 2
    for past in ("at/v1/", "@v1/"):
        assert pulp.fetch(f"{url}{past}", INDEX).content == before
    assert pulp.fetch(f"{url[:-1]}@v1/", INDEX).content == before


def test_no_channel_is_where_the_past_of_another_one_is(pulp):
    name = f"up-{uuid4().hex[:8]}"
    for base_path, below in [(f"{name}/a", f"{name}/a/at/v1"), (f"{name}/b/at/v1", f"{name}/b")]:
        pulp.distribution(base_path=base_path)
        answer = pulp.try_post("distributions/conda/conda/", name=f"{base_path}-2", base_path=below)
        assert answer.status_code == 400 and "Overlaps" in answer.text
