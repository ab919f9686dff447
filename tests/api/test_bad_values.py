"""Values that can be neither stored nor looked for are refused: no answer is a 500."""

import json
from itertools import cycle

import pytest

from tests.support.builders import make_package

MILLIARDS = 2**31


@pytest.fixture(scope="module")
def repository(pulp):
    made = pulp.post("repositories/conda/conda/", name="bad-values", autopublish=True)["pulp_href"]
    pulp.upload(make_package("good"), repository=made)
    return made


@pytest.fixture(scope="module")
def team(pulp, repository):
    return pulp.lifecycle(repository, name="bad-values")


@pytest.fixture(scope="module")
def distribution(pulp, repository):
    return pulp.distribution(repository=repository)["pulp_href"]


@pytest.fixture(scope="module")
def path_of(team, repository, distribution):
    """Return a path of a request: what stands in braces is one of the objects here."""
    objects = {"repository": repository, "lifecycle": team.href, "distribution": distribution}
    return lambda path: path.format(**objects)


def _everything(pulp):
    """How many there are of all that requests make."""
    return {
        path: pulp.get(path, limit=1)["count"]
        for path in (
            "repositories/conda/conda/",
            "remotes/conda/conda/",
            "distributions/conda/conda/",
            "publications/conda/conda/",
            "content/conda/packages/",
            "content/conda/patches/",
            "content/conda/environments/",
            "conda/lifecycles/",
            "tasks/",
        )
    }


def _send(pulp, method, path, body):
    url = pulp.url + (path if path.startswith("/") else pulp.api + path)
    # As others write it: `requests` cannot encode half of a surrogate pair.
    data = json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    return pulp.session.request(method, url, data=data, headers=headers)


def _gate(**options):
    gate = {"name": "g", "kind": "policy", **options}
    return {"stages": [{"name": "unstable"}, {"name": "testing", "gates": [gate]}]}


PATCH = {"subdir": "noarch", "reason": "r"}
ENVIRONMENT = {"name": "e", "format": "specs", "platforms": ["linux-64"], "source": "x"}

# The method, the path, the body with an odd text, and the code.
TEXTS = [
    ("POST", "repositories/conda/conda/", lambda odd: {"name": odd}, "CND0064"),
    ("POST", "repositories/conda/conda/", lambda odd: {"name": "x", odd: 1}, "CND0064"),
    ("PATCH", "{repository}", lambda odd: {"description": odd}, "CND0064"),
    ("PATCH", "{repository}", lambda odd: {"pulp_labels": {odd: "x"}}, "CND0064"),
    ("PATCH", "{repository}", lambda odd: {"pulp_labels": {"x": odd}}, "CND0064"),
    ("PATCH", "{repository}", lambda odd: {"channel_relations": {"base": odd}}, "CND0033"),
    (
        "PATCH",
        "{repository}",
        lambda odd: {"selection": {"groups": [{"specs": [odd]}]}},
        "CND0064",
    ),
    (
        "PATCH",
        "{repository}",
        lambda odd: {"selection": {"groups": [{"specs": ["x"]}], "base_channels": [odd]}},
        "CND0064",
    ),
    (
        "PATCH",
        "{repository}",
        lambda odd: {"selection": {"groups": [{"specs": ["x"]}], "machines": [{"__glibc": odd}]}},
        "CND0064",
    ),
    ("POST", "{repository}plan/", lambda odd: {"why": [odd]}, "CND0064"),
    ("POST", "{repository}set_label/", lambda odd: {"key": odd, "value": "x"}, "CND0064"),
    ("POST", "{repository}add_role/", lambda odd: {"role": odd, "users": ["admin"]}, "CND0064"),
    ("POST", "{repository}sync/", lambda odd: {"remote": odd}, "CND0064"),
    ("POST", "{repository}modify/", lambda odd: {"add_content_units": [odd]}, "CND0064"),
    ("POST", "{repository}modify/", lambda odd: {"base_version": odd}, "CND0064"),
    ("POST", "{repository}copy/", lambda odd: {"source": odd, "specs": ["x"]}, "CND0064"),
    ("POST", "{repository}copy/", lambda odd: {"source": "x", "specs": [odd]}, "CND0064"),
    ("POST", "{repository}import_lock_file/", lambda odd: {"lock_file": odd}, "CND0050"),
    ("POST", "{repository}find_lock_file/", lambda odd: {"lock_file": odd}, "CND0050"),
    (
        "POST",
        "remotes/conda/conda/",
        lambda odd: {"name": "x", "url": f"https://h/{odd}"},
        "CND0064",
    ),
    ("POST", "remotes/conda/conda/", lambda odd: {"name": "x", "includes": [odd]}, "CND0064"),
    ("POST", "remotes/conda/conda/", lambda odd: {"headers": [{odd: odd}]}, "CND0064"),
    ("POST", "publications/conda/conda/", lambda odd: {"repository": odd}, "CND0064"),
    ("PATCH", "{distribution}", lambda odd: {"base_path": odd}, "CND0064"),
    ("PATCH", "{distribution}", lambda odd: {"notices": [{"message": odd}]}, "CND0032"),
    ("PATCH", "{distribution}", lambda odd: {"upload_alias": odd}, "CND0064"),
    ("PATCH", "{distribution}", lambda odd: {"cors_origins": [f"https://{odd}"]}, "CND0064"),
    ("POST", "content/conda/patches/", lambda odd: {**PATCH, "author": odd}, "CND0064"),
    *(
        (
            "POST",
            "content/conda/patches/",
            lambda odd, changes=changes: {
                **PATCH,
                "instructions": {"packages.conda": {"good-1.0-0.conda": changes(odd)}},
            },
            "CND0030",
        )
        for changes in (
            lambda odd: {"depends": [odd]},
            lambda odd: {"license": odd},
            lambda odd: {"license_family": odd},
            lambda odd: {"track_features": odd},
            lambda odd: {"purls": [odd]},
            lambda odd: {odd: 1},
        )
    ),
    ("POST", "content/conda/environments/", lambda odd: {**ENVIRONMENT, "source": odd}, "CND0045"),
    ("POST", "content/conda/environments/", lambda odd: {**ENVIRONMENT, "section": odd}, "CND0064"),
    (
        "POST",
        "content/conda/environments/",
        lambda odd: {**ENVIRONMENT, "virtual_packages": {"linux-64": {"__cuda": odd}}},
        "CND0064",
    ),
    ("POST", "content/conda/packages/", lambda odd: {"file_url": odd}, "CND0064"),
    ("POST", "conda/lifecycles/", lambda odd: {"name": odd}, "CND0064"),
    ("PATCH", "{lifecycle}", lambda odd: {"stages": [{odd: 1}]}, "CND0064"),
    ("PATCH", "{lifecycle}", lambda odd: _gate(name=odd), "CND0041"),
    (
        "PATCH",
        "{lifecycle}",
        lambda odd: _gate(dependencies={"base_channels": [odd]}),
        "CND0041",
    ),
    ("PATCH", "{lifecycle}", lambda odd: _gate(**{odd: 1}), "CND0041"),
    ("POST", "{lifecycle}promote/", lambda odd: {"stage": odd}, "CND0064"),
    ("POST", "{lifecycle}promote/", lambda odd: {"overrides": {odd: "a"}}, "CND0064"),
    ("POST", "{lifecycle}promote_packages/", lambda odd: {"specs": [odd]}, "CND0064"),
    ("POST", "{lifecycle}rollback/", lambda odd: {"stage": "stable", "reason": odd}, "CND0064"),
    ("POST", "{lifecycle}solve/", lambda odd: {"environments": [odd]}, "CND0064"),
]


def test_a_text_that_cannot_be_stored_is_refused_with_a_code(pulp, path_of):
    before = _everything(pulp)
    # In turn, because all requests with both would take twice as long.
    for odd, (method, path, body, code) in zip(cycle(["a\0b", "\ud800", "\udfff"]), TEXTS):
        answer = _send(pulp, method, path_of(path), body(odd))
        told = (method, path, body(odd), answer.status_code, answer.text)
        assert answer.status_code == 400, told
        assert f"[{code}]" in answer.text, told
        assert answer.text.count("[CND") == 1, told
    assert _everything(pulp) == before


# No texts where there have to be some, numbers that no column takes, bodies that are no objects.
OTHERS = [
    *(
        ("POST", path, body)
        for path in (
            "repositories/conda/conda/",
            "remotes/conda/conda/",
            "distributions/conda/conda/",
            "publications/conda/conda/",
            "content/conda/packages/",
            "content/conda/packages/upload/",
            "content/conda/patches/",
            "content/conda/environments/",
            "conda/lifecycles/",
            "{repository}modify/",
            "{repository}copy/",
            "{repository}import_lock_file/",
            "{lifecycle}promote/",
            "{lifecycle}solve/",
        )
        for body in ([], 7, {"": 1}, {"name": {"a": [1]}})
    ),
    *(("PATCH", path, []) for path in ("{repository}", "{distribution}", "{lifecycle}")),
    *(
        ("POST", path, {"name": "x", field: value})
        for path, field in (
            ("repositories/conda/conda/", "remote"),
            ("distributions/conda/conda/", "repository"),
            ("distributions/conda/conda/", "repository_version"),
            ("distributions/conda/conda/", "publication"),
            ("distributions/conda/conda/", "content_guard"),
            ("publications/conda/conda/", "repository"),
            ("publications/conda/conda/", "repository_version"),
            ("{repository}sync/", "remote"),
            ("{repository}modify/", "base_version"),
            ("{repository}modify/", "add_content_units"),
            ("{repository}modify/", "remove_content_units"),
            ("{repository}copy/", "source"),
            ("{repository}import_lock_file/", "sources"),
            ("content/conda/packages/", "artifact"),
            ("content/conda/packages/", "upload"),
            ("content/conda/packages/", "repository"),
            ("content/conda/packages/upload/", "artifact"),
            ("content/conda/patches/", "package"),
            ("content/conda/patches/", "repository"),
            ("content/conda/environments/", "repository"),
            ("conda/lifecycles/", "repository"),
            ("conda/lifecycles/", "stages"),
        )
        for value in (7, [[]], {"a": 1}, "prn:a.b:c", "http://[")
    ),
    *(
        ("PATCH", "{repository}", {field: value})
        for field in ("retain_repo_versions", "retain_checkpoints")
        for value in (MILLIARDS, 10**400)
    ),
    *(
        ("POST", "remotes/conda/conda/", {"name": "x", "url": "https://h/c", field: value})
        for field in ("max_retries", "rate_limit", "download_concurrency")
        for value in (MILLIARDS, -MILLIARDS - 1)
    ),
    *(
        ("PATCH", "{repository}", {"selection": selection})
        for selection in (
            7,
            [],
            {},
            "x",
            {"groups": []},
            {"groups": [{}]},
            {"groups": [7]},
            {"groups": {"specs": ["x"]}},
            *(
                {"groups": [{"specs": ["x"]}], **field}
                for field in (
                    {"newest": MILLIARDS},
                    {"newest": -1},
                    {"keep_days": 10**400},
                    {"max_bytes": 10**400},
                    {"for_each": ["<<"]},
                    {"machines": []},
                    {"machines": [7]},
                    {"machines": [{"glibc": "2"}]},
                    {"base_channels": [7]},
                    {"prereleases": "perhaps"},
                )
            ),
            {"groups": [{"specs": ["x >>1"]}]},
            {"groups": [{"lock_files": ["x"]}]},
            {"groups": [{"environments": [{}]}]},
        )
    ),
    ("PATCH", "{lifecycle}", {"retain_days": MILLIARDS}),
    ("POST", "{lifecycle}rollback/", {"stage": "stable", "entry": MILLIARDS}),
    ("POST", "{repository}find_lock_file/", {"lock_file": "x", "version": MILLIARDS}),
    ("POST", "remotes/conda/conda/", {"name": "x", "url": "http://[::", "policy": "on_demand"}),
    ("POST", "{repository}set_label/", {"key": {"a": 1}, "value": []}),
    ("POST", "{repository}add_role/", {"role": [], "users": [{}]}),
    ("POST", "{repository}add_role/", {"role": "conda.condarepository_owner", "users": {"a": 1}}),
]


@pytest.mark.parametrize("path", sorted({path for _, path, _ in OTHERS}))
def test_what_no_field_can_have_is_refused(pulp, path_of, path):
    before = _everything(pulp)
    for method, _, body in (request for request in OTHERS if request[1] == path):
        answer = _send(pulp, method, path_of(path), body)
        assert answer.status_code == 400, (method, path, body, answer.status_code, answer.text)
    assert _everything(pulp) == before


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 500 + "1" + "}" * 500, "NaN", "1e999"])
def test_json_that_cannot_be_read_or_written_is_refused(pulp, text):
    for path in ("repositories/conda/conda/", "conda/lifecycles/", "content/conda/patches/"):
        answer = pulp.session.post(
            f"{pulp.url}{pulp.api}{path}", data=text, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 400, answer.text


# What all lists take, and what some of them take besides.
ODD_QUERIES = [
    "ordering=%00",
    "fields=%00",
    "offset=99999999999999999999999",
    "limit=99999999999999999999999",
    "q=NOT+NOT",
    "pulp_href__in=%00",
    "prn__in=prn:a.b:c",
    "pulp_created__gt=%00",
    "%00=x",
]
NAMES = ["name=%00", "name__in=a,%00", "name__regex=(", "name=%ED%A0%80", "q=name%3D%00"]
CONTENT = [
    "repository_version=%00",
    "repository_version=http://[",
    "repository_version=/pulp/api/v3/status/",
    "added_between=x,y",
    "orphaned_for=99999999999999999999",
    "pulp_label_select=%00",
]
LISTS = {
    "repositories/conda/conda/": [
        *NAMES,
        "pulp_label_select=a%3D%22",
        "retain_repo_versions=99999999999999999999",
        "remote=x",
        "with_content=%00",
        "latest_with_content=x",
    ],
    "remotes/conda/conda/": NAMES,
    "distributions/conda/conda/": [
        *NAMES,
        "base_path=%00",
        "repository=http://[",
        "with_content=x",
    ],
    "publications/conda/conda/": ["repository=%00", "repository=prn:a.b:c", "content=x"],
    "content/conda/packages/": [
        *NAMES,
        *CONTENT,
        "build_number=99999999999999999999",
        "size__range=1,99999999999999999999",
        "timestamp__gt=1e400",
        "depends=%00",
        "depends=(",
        "license__icontains=%00",
    ],
    "content/conda/patches/": [*CONTENT, "filename=%00", "expires_at__range=a,b"],
    "content/conda/environments/": [*NAMES, *CONTENT],
    "conda/lifecycles/": [*NAMES, "repository=/pulp/api/v3/status/"],
    "{lifecycle}history/": ["number__gt=99999999999999999999", "stage=%00", "requested_by=%00"],
    "{lifecycle}deliveries/": ["state=%00", "event__in=%00"],
    "{repository}versions/": ["number__range=1,99999999999999999999", "content__in=x"],
}


@pytest.mark.parametrize("path", LISTS)
def test_no_query_is_answered_with_a_server_error(pulp, path_of, path):
    for query in [*ODD_QUERIES, *LISTS[path]]:
        answer = pulp.try_get(f"{path_of(path)}?{query}")
        assert answer.status_code in (200, 400), (path, query, answer.status_code, answer.text)
        assert answer.status_code == 400 or "%00" not in query, (path, query)


@pytest.mark.parametrize(
    "path",
    [
        "{repository}versions/1/diff/?base=%00",
        "{repository}versions/1/diff/?base=99999999999999999999",
        "{repository}versions/1/diff/?limit=99999999999999999999&offset=99999999999999999999",
        "{repository}versions/1/diff/?name=%00",
        "{lifecycle}diff/?base=%00&target=%00",
        "{lifecycle}diff/?base=stable@%00&target=v99999999999999999999",
        "{lifecycle}lock/?stage=%00&environment=%00&lock_format=pixi",
        "{lifecycle}lock/?stage=unstable&environment=x&lock_format=pixi&state=%00",
    ],
)
def test_no_query_of_an_action_is_answered_with_a_server_error(pulp, path_of, path):
    answer = pulp.try_get(path_of(path))
    assert answer.status_code == 400, (answer.status_code, answer.text)


@pytest.mark.parametrize(
    "path",
    [
        "repositories/conda/conda/%00/",
        "repositories/conda/conda/x/versions/",
        "{repository}versions/%00/",
        "{repository}versions/99999999999999999999/",
        "{repository}versions/99999999999999999999/diff/",
        "remotes/conda/conda/%00/",
        "distributions/conda/conda/%ED%A0%80/",
        "publications/conda/conda/%00/",
        "content/conda/packages/%00/",
        "content/conda/patches/%00/",
        "content/conda/environments/%00/",
        "conda/lifecycles/%00/",
        "conda/lifecycles/%00/history/",
        "{lifecycle}history/%00/",
        "{lifecycle}deliveries/%00/",
    ],
)
def test_a_path_that_names_nothing_is_not_found(pulp, path_of, path):
    assert pulp.try_get(path_of(path)).status_code == 404


def test_json_in_a_form_is_looked_into_as_well(pulp):
    package = make_package("form")
    for field, text in (
        ("pulp_labels", r'{"a": "\u0000"}'),
        ("pulp_labels", r'{"\ud800": "a"}'),
        ("attestation", r'[{"a": "\u0000"}]'),
    ):
        answer = pulp.post_bytes(
            "content/conda/packages/", package.filename, package.data, **{field: text}
        )
        assert (answer.status_code, "[CND0064]" in answer.text) == (400, True), answer.text


def test_a_channel_answers_a_path_that_no_file_can_have(pulp, repository):
    url = pulp.distribute(repository=repository)
    for path in ("%00", "noarch/%00", "noarch/%ED%A0%80", "%00/noarch/repodata.json"):
        assert pulp.fetch(url, path).status_code == 404
        assert pulp.fetch(url.rsplit("/", 2)[0] + "/", path).status_code == 404
