import re
from itertools import product

import pytest

from pulp_conda.channel import layout
from pulp_conda.channel.errors import BadChannelName, BadPackageName, BadSubdir


@pytest.mark.parametrize(
    "path, meaning",
    [
        pytest.param("", layout.Folder(None), id="the channel itself"),
        pytest.param("noarch/", layout.Folder("noarch"), id="a subdir"),
        pytest.param(
            "linux-64/repodata.json", layout.Metadata("linux-64", "repodata.json"), id="metadata"
        ),
        pytest.param(
            "linux-64/a-1!2.0+cu1-h_0.conda",
            layout.Package("linux-64", "a-1!2.0+cu1-h_0.conda"),
            id="a package with an epoch and a local version",
        ),
        pytest.param("noarch/a-1-0.tar.bz2", layout.Package("noarch", "a-1-0.tar.bz2"), id="bz2"),
        pytest.param(
            "plan9-mips/a-1-0.conda", layout.Package("plan9-mips", "a-1-0.conda"), id="new"
        ),
        pytest.param(
            f"noarch/shards/{'0a' * 32}.msgpack.zst", layout.Shard("noarch", "0a" * 32), id="shard"
        ),
        pytest.param(f"noarch/shards/{'0A' * 32}.msgpack.zst", None, id="shard in upper case"),
        pytest.param("noarch/shards/", None, id="list of shards"),
        pytest.param("noarch", None, id="no slash at the end"),
        pytest.param("repodata.json", None, id="metadata of no subdir"),
        pytest.param(
            "channeldata.json", layout.Metadata(None, "channeldata.json"), id="at the root"
        ),
        pytest.param("-/search", layout.Page(layout.PageKind.SEARCH), id="a search"),
        pytest.param(
            "-/package/a/1!2.0+cu1",
            layout.Page(layout.PageKind.PACKAGE, ("a", "1!2.0+cu1")),
            id="-",
        ),
        pytest.param(
            "-/file/noarch/a-1-0.conda",
            layout.Page(layout.PageKind.FILE, ("noarch", "a-1-0.conda")),
            id="a file's page",
        ),
        pytest.param("notices.json", layout.Metadata(None, "notices.json"), id="notices"),
        pytest.param("noarch/notices.json", None, id="metadata of the root in a subdir"),
        pytest.param(
            "noarch/run_exports.json.zst",
            layout.Metadata("noarch", "run_exports.json.zst"),
            id="metadata beside repodata",
        ),
        pytest.param("noarch/repodata.jlap", None, id="metadata that nobody publishes"),
        pytest.param(
            "noarch/a-1!2.0+cu1-0.conda.sigs",
            layout.Sidecar("noarch", "a-1!2.0+cu1-0.conda", None),
            id="sidecar",
        ),
        pytest.param(
            f"noarch/a-1-0.tar.bz2.sigs.{'0a' * 32}",
            layout.Sidecar("noarch", "a-1-0.tar.bz2", "0a" * 32),
            id="sidecar by digest",
        ),
        pytest.param(f"noarch/a-1-0.conda.sigs.{'0A' * 32}", None, id="digest in upper case"),
        pytest.param("noarch/a-1-0.conda.sigs.0a", None, id="part of a digest"),
        pytest.param("noarch/a-1-0.conda.sigs/", None, id="folder of a sidecar"),
        pytest.param("noarch/repodata.json.sigs", None, id="sidecar of metadata"),
        pytest.param("noarch/x/a-1-0.conda.sigs", None, id="sidecar too deep"),
        pytest.param("-/", None, id="no page"),
        pytest.param("-/package/", None, id="no name of a page"),
        pytest.param("-/package/a/1/2", None, id="more than a version"),
        pytest.param("-/file/a-1-0.conda", None, id="no subdir of a page"),
        pytest.param("-/search/x", None, id="behind a search"),
        pytest.param("-/package/a/noarch/repodata.json", None, id="a page as a channel"),
        pytest.param("../noarch/repodata.json", None, id="out of the channel"),
        pytest.param("noarch/x/a-1-0.conda", None, id="too deep"),
        pytest.param("Linux-64/repodata.json", None, id="upper case"),
    ],
)
def test_a_path_says_what_it_stands_for(path, meaning):
    assert layout.parse_path(path) == meaning


def test_paths_are_read_back_from_what_was_written():
    package = layout.package_path("noarch", "a-1-0.conda")
    metadata = layout.metadata_path("noarch", layout.REPODATA_ZST)
    assert layout.parse_path(package) == layout.Package("noarch", "a-1-0.conda")
    assert layout.parse_path(metadata) == layout.Metadata("noarch", layout.REPODATA_ZST)
    for filename in layout.SUBDIR_METADATA:
        path = layout.metadata_path("linux-64", filename)
        assert layout.parse_path(path) == layout.Metadata("linux-64", filename)


def test_a_file_name_is_split_from_its_end():
    parts = layout.parse_filename("my-long-name-1.0-py312_0.tar.bz2")
    assert parts == layout.PackageName("my-long-name", "1.0", "py312_0", ".tar.bz2")
    assert parts.filename == "my-long-name-1.0-py312_0.tar.bz2"


@pytest.mark.parametrize(
    "filename, reason",
    [
        pytest.param("numpy-1.26.zip", "it has another extension", id="zip"),
        pytest.param("numpy-1.26.conda", "it has fewer than three parts", id="no build"),
        pytest.param("Numpy-1-0.conda", "'Numpy' is not a name", id="upper case name"),
        pytest.param("__glibc-1-0.conda", "'__glibc' is not a name", id="virtual package"),
        pytest.param("a..b-1-0.conda", "'a..b' is not a name", id="two separators"),
        pytest.param("a-1.0RC1-0.conda", "'1.0RC1' is not a version", id="upper case version"),
        pytest.param("a-1-h 0.conda", "'h 0' is not a build", id="blank"),
        pytest.param("../a-1-0.conda", "'../a' is not a name", id="out of the folder"),
        pytest.param("a-1-0\n.conda", "'0\n' is not a build", id="line break"),
        pytest.param("ä-1-0.conda", "'ä' is not a name", id="not ASCII"),
        pytest.param(
            f"{'a' * 65}-1-0.conda",
            f"the name '{'a' * 65}' is longer than 64 characters",
            id="long name",
        ),
        pytest.param(
            "A-B C-é.conda",
            "'A' is not a name; 'B C' is not a version; 'é' is not a build",
            id="everything wrong is said at once",
        ),
    ],
)
def test_a_file_name_that_breaks_cep_26_is_refused(filename, reason):
    with pytest.raises(BadPackageName) as refused:
        layout.parse_filename(filename)
    assert refused.value.facts == {"filename": filename, "reason": reason}


@pytest.mark.parametrize("subdir", ["noarch", "linux-64", "osx-arm64", "linux-fake", "zos-z"])
def test_subdirs_are_accepted_by_pattern(subdir):
    assert layout.check_subdir(subdir) == subdir


@pytest.mark.parametrize(
    "subdir",
    [
        "",
        "linux",
        "linux_64",
        "Linux-64",
        "linux-64/",
        "../x-y",
        "a-b-c",
        64,
        None,
        "a-" + "b" * 31,
    ],
)
def test_what_is_no_subdir_is_refused(subdir):
    with pytest.raises(BadSubdir):
        layout.check_subdir(subdir)


@pytest.mark.parametrize("name", ["stable", "team/stable", "a.b_c-d/2026", "_x", "tt/at/t-1"])
def test_channel_names_may_have_slashes(name):
    assert layout.check_channel_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "Stable",
        "team//stable",
        "/team",
        "team/",
        "-x",
        "a b",
        "team/noarch",
        "team/linux-64",
        "t",
        "t/team",
        "team/t/stable",
        "team/t",
        "x" * 129,
    ],
)
def test_what_clients_would_misread_is_no_channel_name(name):
    with pytest.raises(BadChannelName):
        layout.check_channel_name(name)


@pytest.mark.parametrize(
    "base, url",
    [
        pytest.param("https://x/c", "https://x/c/noarch/a-1!0+l-0.conda", id="plain"),
        pytest.param("https://x/c/", "https://x/c/noarch/a-1!0+l-0.conda", id="slash at the end"),
        pytest.param("https://x/c?k=1", "https://x/c/noarch/a-1!0+l-0.conda?k=1", id="query"),
    ],
)
def test_urls_are_joined_the_way_clients_write_them(base, url):
    assert layout.join_url(base, "noarch", "a-1!0+l-0.conda") == url


def test_what_an_upstream_names_cannot_leave_its_folder():
    assert (
        layout.join_url("https://x/c", "noarch", "a?b#c%2f d")
        == "https://x/c/noarch/a%3Fb%23c%252f%20d"
    )


def test_package_names_are_those_of_the_cep():
    """CEP 26 has a pattern, and a limit of 64 characters."""
    pattern = re.compile(r"(([a-z0-9])|([a-z0-9_](?!_)))[._-]?([a-z0-9]+(\.|-|_|$))*")
    texts = ["".join(some) for length in range(6) for some in product("a0_-.A\n", repeat=length)]
    assert [text for text in texts if layout.is_name(text) != bool(pattern.fullmatch(text))] == []
    assert layout.is_name("a" * 64)
    assert not layout.is_name("a" * 65)
    assert not layout.is_name(None)


@pytest.mark.parametrize(
    ("path", "past"),
    [
        ("at/v1/noarch/repodata.json", "v1/noarch/repodata.json"),
        ("at/v1", "v1"),
        ("at/", ""),
        ("at", ""),
        ("at//v1", "/v1"),
        ("@v1/", "v1/"),
        ("AT/v1/", None),
        ("att/v1/", None),
        ("noarch/at/v1/", None),
        ("", None),
    ],
)
def test_the_past_of_a_channel_is_told_apart(path, past):
    assert layout.split_past(path) == past


def test_every_url_of_the_past_has_a_known_beginning():
    url = "https://h/team"
    assert layout.past_url(url, "v1") == "https://h/team/at/v1"
    for written in (layout.past_url(url, "v1"), "https://h/team@v1", "https://h/team/@v1"):
        assert written.startswith(tuple(layout.past_prefixes(url)))
    layout.check_channel_name("team/at/2026-03-03t120000z")
