"""Each module makes, changes and removes; changes nothing the second time, and nothing at all in
check mode.
"""

import copy
import json
from dataclasses import dataclass

import pytest

from pulp_conda.app.models import CondaRefresh
from tests.support.builders import make_channel, make_package
from tests.support.issuer import EXPECTED, Issuer

WEBHOOK_SECRET = "whsec_" + "c2VjcmV0" * 5

# The connection comes from the environment. `{}` stands for a word that no other test has.
CREATED = {
    "conda_remote": {
        "name": "{}",
        "url": "https://conda.example.org/forge",
        "subdirs": ["noarch", "noarch"],
        "includes": ["numpy >=1.26"],
        "remote_username": "robot",
        "remote_password": "a-secret-word",
        "pulp_labels": {"team": "a"},
    },
    "conda_repository": {
        "name": "{}",
        "remote": "{}",
        "autopublish": True,
        "retain_repo_versions": 30,
        "channel_relations": {"base": "../forge"},
        "subdirs": ["linux-64", "zos-z", "linux-64"],
        "selection": {"groups": [{"specs": ["numpy >=2"]}], "keep_days": 5},
    },
    "conda_environment": {
        "repository": "{}",
        "name": "desk",
        "format": "specs",
        "source": "hello\n",
        "platforms": ["linux-64"],
        "virtual_packages": {"linux-64": {"__cuda": "12.4"}},
    },
    "conda_distribution": {
        "name": "{}",
        "base_path": "ansible/{}",
        "repository": "{}",
        "notices": [{"message": "We move.", "level": "info", "expires_at": "2999-01-31T00:00:00Z"}],
        "cors_origins": ["https://lite.example.org"],
        "private": True,
        "upload_alias": "ansible-{}",
    },
    "conda_lifecycle": {
        "name": "{}",
        "repository": "{}",
        "stages": [
            {"name": "unstable"},
            {
                "name": "stable",
                "gates": [
                    {"name": "environments", "kind": "environments"},
                    {"name": "rules", "kind": "policy", "minimum_age": {"days": 7}},
                    {"name": "yes", "kind": "approval"},
                ],
            },
        ],
        "retain_days": 400,
        "webhook_url": "https://ci.example.com/hook",
        "webhook_secret": WEBHOOK_SECRET,
    },
}
CHANGES = {
    "conda_remote": {"includes": []},
    "conda_repository": {
        "remote": "",
        "retain_repo_versions": 0,
        "subdirs": [],
        "shards": False,
        "selection": {},
        "convert": True,
    },
    "conda_environment": {"source": "hello >=2\n"},
    "conda_distribution": {
        "notices": [],
        "cors_origins": ["*"],
        "private": False,
        "upload_alias": "",
    },
    "conda_lifecycle": {"retain_days": -1, "announce": True, "pulp_labels": {"owner": "data"}},
}
# What the diffs of these changes are to show, and nothing else.
SHOWN = {
    "conda_remote": {"includes"},
    "conda_repository": {
        "remote",
        "retain_repo_versions",
        "subdirs",
        "shards",
        "selection",
        "convert",
    },
    "conda_environment": {"source", "requirements"},
    "conda_distribution": {
        "notices",
        "cors_origins",
        "private",
        "upload_alias",
        "content_guard",
        "content_guard_prn",
    },
    "conda_lifecycle": {"retain_days", "announce", "pulp_labels"},
}


@dataclass
class Story:
    """Runs tasks of all modules at once, in an order in which each finds what it needs."""

    ansible: object
    word: str

    def run(self, *arguments, options=CREATED, **more):
        tasks = []
        for module, given in options.items():
            given = {**_with_word(given, self.word), **more}
            tasks.append({"name": module, f"pulp.conda.{module}": given})
        return self.ansible.tasks(tasks, *arguments)


def _with_word(value, word):
    if isinstance(value, dict):
        return {key: _with_word(part, word) for key, part in value.items()}
    if isinstance(value, list):
        return [_with_word(part, word) for part in value]
    return value.replace("{}", word) if isinstance(value, str) else value


def _absent():
    """The same resources with the keys that find them, the last one first."""
    keys = ("name", "repository")
    absent = {}
    for module in reversed(CREATED):
        given = CREATED[module]
        found = {key: given[key] for key in keys if key in given}
        if module != "conda_environment":
            found.pop("repository", None)
        absent[module] = found
    return absent


def test_resources_are_made_changed_and_removed_once(ansible, everything, unique):
    story = Story(ansible, unique)
    before = everything()
    foreseen = story.run("--check", "--diff")
    assert foreseen.changed() == list(CREATED)
    assert everything() == before

    made = story.run("--diff")
    assert made.changed() == list(CREATED)
    assert "a-secret-word" not in foreseen.output + made.output
    assert made.task("conda_lifecycle")["lifecycle"]["stages"][1]["gates"][2]["approvals"] == 1
    assert made.task("conda_environment")["environment"]["requirements"] == {"linux-64": ["hello"]}

    before = everything()
    assert story.run("--diff").changed() == []
    assert everything() == before

    changes = {
        module: {**copy.deepcopy(given), **CHANGES[module]} for module, given in CREATED.items()
    }
    foreseen = story.run("--check", "--diff", options=changes)
    assert foreseen.changed() == list(changes)
    assert everything() == before
    done = story.run("--diff", options=changes)
    assert done.changed() == list(changes)
    for run in (foreseen, done):
        for module, shown in SHOWN.items():
            diff = run.task(module)["diff"]
            keys = diff["before"].keys() | diff["after"].keys()
            differing = {key for key in keys if diff["before"].get(key) != diff["after"].get(key)}
            # What the server reads from an environment is not known before it has read it.
            assert differing & set(changes[module]) == shown & set(changes[module]), module
            assert run is foreseen or differing <= shown, module

    before = everything()
    assert story.run("--check", options=_absent(), state="absent").changed() == list(_absent())
    assert everything() == before
    assert story.run(options=_absent(), state="absent").changed() == list(_absent())
    assert story.run(options=_absent(), state="absent").changed() == []
    left = [each for each in everything().values() if each.get("name") == unique]
    assert left == []


def _task(module, **options):
    return {"name": module, f"pulp.conda.{module}": options}


def test_a_new_stage_has_a_guard_unless_that_is_said(ansible, pulp, make_repository, unique):
    name = pulp.get(make_repository())["name"]
    pulp.post("contentguards/core/rbac/", name=unique)
    stages = [{"name": "a", "content_guard": unique}, {"name": "b", "content_guard": ""}]
    options = {"name": unique, "repository": name}
    done = ansible.tasks(
        [
            _task("conda_lifecycle", **options, stages=stages),
            _task("conda_lifecycle", **options, stages=[*stages, {"name": "c"}])
            | {"name": "added"},
            _task("conda_lifecycle", **options, stages=[*stages, {"name": "c"}])
            | {"name": "again"},
            _task("conda_lifecycle", name=unique, private=True) | {"name": "closed"},
            _task("conda_lifecycle", name=unique, private=True) | {"name": "still closed"},
        ]
    )
    assert done.changed() == ["conda_lifecycle", "added", "closed"]
    assert "Everybody may read stage 'b'" in done.output
    (made,) = pulp.get("conda/lifecycles/", name=unique)["results"]
    a, b, c = (stage["content_guard"] for stage in made["stages"])
    assert a == c and a != b and b is not None


def test_a_virtual_channel_merges_what_it_is_told_to(ansible, pulp, unique, everything):
    for name in (f"{unique}-a", f"{unique}-b"):
        pulp.distribution(name=name, base_path=name)
    first = {"distribution": f"{unique}-a", "owns": ["Acme-*", "acme-*", "tool"]}
    second = {"distribution": f"{unique}-b"}

    def repository(name, *merged):
        return {**_task("conda_repository", name=unique, merged_channels=merged), "name": name}

    tasks = [repository("made", first, second), repository("again", first, second)]
    before = everything()
    assert ansible.tasks(tasks[:1], "--check").changed() == ["made"]
    assert everything() == before
    turned = repository("turned", second, first)
    tasks += [{**turned, "name": "foreseen", "check_mode": True}, turned]
    done = ansible.tasks(
        [*tasks, repository("unknown", {"distribution": "x"}) | {"check_mode": True}]
    )
    assert done.changed() == ["made", "foreseen", "turned", "unknown"]
    (made,) = pulp.get("repositories/conda/conda/", name=unique)["results"]
    assert [each["owns"] for each in made["merged_channels"]] == [[], ["acme-*", "tool"]]


def test_secrets_are_sent_once_and_removed_once(ansible, pulp, unique):
    def remote(name, **options):
        options = {"name": unique, "url": "https://conda.example.org/a", **options}
        return {"name": name, "pulp.conda.conda_remote": options}

    signed = "https://conda.example.org/a?sig=one"
    done = ansible.tasks(
        [
            remote("made"),
            remote("set", token="a-secret-word"),
            remote("another", token="another-word"),
            remote("always", token="another-word", update_secrets="always"),
            remote("signed", url=signed),
            remote("signed again", url="https://conda.example.org/a?sig=two"),
            remote("foreseen", token="", url=signed) | {"check_mode": True},
            remote("removed", token="", url=signed),
            remote("removed again", token="", url=signed),
        ],
        "--diff",
    )
    assert done.changed() == ["made", "set", "always", "signed", "foreseen", "removed"]
    assert "-word" not in done.output
    (found,) = pulp.get("remotes/conda/conda/", name=unique)["results"]
    assert {"name": "token", "is_set": False} in found["hidden_fields"]


def _named(word):
    """Tasks that name a resource of each kind, and give nothing else."""
    names = {"conda_block": {"spec": word}, "conda_token": {"name": word}}
    of_a_repository = {
        "conda_environment": {"repository": word, "name": "desk"},
        "conda_publication": {"repository": word},
        "conda_refresh": {"repository": word},
    }
    kinds = ("repository", "remote", "distribution", "lifecycle", "publisher", "robot")
    names |= {f"conda_{kind}": {"name": word} for kind in kinds}
    return [
        _task(module, **options) | {"ignore_errors": True}
        for module, options in {**names, **of_a_repository}.items()
    ]


def test_a_task_that_only_names_a_resource_reads_it_and_makes_none(
    ansible, pulp, everything, unique
):
    repository = pulp.post("repositories/conda/conda/", name=f"{unique}-bare")["pulp_href"]
    before = everything()
    missing = ansible.tasks(_named(unique))
    for task in missing.tasks:
        assert task["failed"] is True and "There is no" in task["msg"], task
    # The kinds of which a task with a repository is about another one.
    bare = ansible.tasks(_named(f"{unique}-bare")[-3:])
    texts = [task["msg"] for task in bare.tasks]
    assert all("To create it, give its options, or 'state: present'." in text for text in texts)
    assert ansible.tasks(_named(unique), "--check").changed() == []
    assert everything() == before
    assert pulp.get("conda/robots/", name=unique)["count"] == 0

    pulp.patch(repository, name=unique)
    pulp.environment(repository, "desk", "hello\n", platforms=["linux-64"])
    pulp.lifecycle(repository, name=unique)
    before = everything()
    read = [
        task
        for task in _named(unique)
        if set(task)
        & {
            "pulp.conda.conda_repository",
            "pulp.conda.conda_lifecycle",
            "pulp.conda.conda_environment",
        }
    ]
    done = ansible.tasks(read)
    assert done.changed() == []
    assert done.task("conda_repository")["repository"]["pulp_href"] == repository
    assert len(done.task("conda_lifecycle")["lifecycle"]["stages"]) == 3
    assert done.task("conda_environment")["environment"]["source"] == "hello\n"
    assert everything() == before


def test_what_there_is_is_listed_without_secrets(ansible, pulp, unique):
    secret = "a-secret-word"
    remote = pulp.post(
        "remotes/conda/conda/",
        name=unique,
        url=f"https://conda.example.org/a?sig={secret}",
        username="robot",
        password=secret,
        token=secret,
        proxy_url="http://proxy.example.org:3128",
        proxy_username="robot",
        proxy_password=secret,
        pulp_labels={"team": unique},
    )["pulp_href"]
    options = {"remote": remote, "autopublish": True, "pulp_labels": {"team": unique}}
    repository = pulp.post("repositories/conda/conda/", name=unique, **options)["pulp_href"]
    for version in ("2.0", "10.0"):
        pulp.upload(make_package(f"a-{unique}", version), repository=repository)
    pulp.environment(repository, "desk", f"a-{unique}\n", platforms=["linux-64"])
    pulp.distribution(repository=repository, name=unique, base_path=unique)
    hook = {
        "webhook_url": f"https://ci.example.com/?key={secret}",
        "webhook_secret": WEBHOOK_SECRET,
    }
    pulp.lifecycle(repository, name=unique, base_path=f"{unique}-stages", **hook)
    newest = pulp.newest_publication(repository)

    def listed(kind, title=None, **options):
        return {"name": title or kind, f"pulp.conda.conda_{kind}_info": options}

    labelled = {"pulp_label_select": f"team={unique}"}
    done = ansible.tasks(
        [
            listed("remote", name=unique),
            listed("remote", "labelled remotes", **labelled),
            listed("repository", remote=unique, **labelled),
            listed("repository", "no name", name=""),
            listed("distribution", base_path=unique, repository=unique),
            listed("lifecycle", repository=unique),
            listed("environment", repository=unique),
            listed("environment", "not yet", repository=unique, version=1),
            listed("package", repository=unique, spec=f"a-{unique} >=2", limit=1),
            listed("package", "of a version", repository=unique, version=1),
            listed("package", "no version", repository=unique, version=99)
            | {"ignore_errors": True},
            listed("publication", repository=unique),
            listed("publication", "published", repository=unique, version=1),
            listed("package", "foreseen", repository=f"{unique}-new") | {"check_mode": True},
            listed("lifecycle", "unknown", repository=f"{unique}-new"),
        ],
        fails=True,
    )
    assert done.changed() == []
    assert secret not in done.output and WEBHOOK_SECRET not in done.output

    def names(task, kind):
        return [each["name"] for each in done.task(task)[kind]]

    assert names("remote", "remotes") == names("labelled remotes", "remotes") == [unique]
    (found,) = done.task("remote")["remotes"]
    assert {"name": "token", "is_set": True} in found["hidden_fields"]
    assert names("repository", "repositories") == [unique]
    assert names("no name", "repositories") == []
    assert names("distribution", "distributions") == [unique]
    (found,) = done.task("lifecycle")["lifecycles"]
    assert [stage["name"] for stage in found["stages"]] == ["unstable", "testing", "stable"]
    assert (names("environment", "environments"), names("not yet", "environments")) == (
        ["desk"],
        [],
    )
    newest_first = done.task("package")
    assert [each["version"] for each in newest_first["packages"]] == ["10.0"]
    assert newest_first["more"] is True
    assert len(done.task("of a version")["packages"]) == 1
    assert done.task("of a version")["more"] is False
    assert "versions/99/" in done.task("no version")["msg"]
    publications = done.task("publication")["publications"]
    assert publications[0]["pulp_href"] == newest and len(publications) == 3
    (published,) = done.task("published")["publications"]
    assert published["repository_version"].endswith("/versions/1/")
    assert done.task("foreseen")["packages"] == []
    assert "no conda repository" in done.task("unknown")["msg"]


def test_the_secret_of_a_webhook_is_sent_and_removed_once(ansible, pulp, make_repository, unique):
    repository = pulp.get(make_repository())["name"]

    def task(name, **options):
        return _task("conda_lifecycle", name=unique, **options) | {"name": name}

    done = ansible.tasks(
        [
            task("made", repository=repository, webhook_url="https://ci.example.com/hook"),
            task("set foreseen", webhook_secret=WEBHOOK_SECRET) | {"check_mode": True},
            task("set", webhook_secret=WEBHOOK_SECRET),
            task("set again", webhook_secret=WEBHOOK_SECRET),
            task("removal foreseen", webhook_secret="") | {"check_mode": True},
            task("removed", webhook_secret=""),
            task("removed again", webhook_secret=""),
        ],
        "--diff",
    )
    assert done.changed() == ["made", "set foreseen", "set", "removal foreseen", "removed"]
    assert WEBHOOK_SECRET not in done.output

    def is_set(task):
        (field,) = done.task(task)["lifecycle"]["hidden_fields"]
        return field["is_set"]

    assert [is_set(task) for task in ("made", "set", "set again", "removed")] == [0, 1, 1, 0]


def test_packages_come_are_published_and_go(ansible, pulp, upstream, everything, unique, tmp_path):
    name = f"ansible-{unique}"
    packages = [make_package("numpy", version) for version in ("1.0", "2.0")]
    make_channel(upstream.folder, [*packages, make_package("scipy", depends=["numpy >=2"])])
    built = make_package(f"tool-{unique}")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / built.filename).write_bytes(built.data)
    setup = [
        _task("conda_remote", name=name, url=upstream.url),
        _task("conda_repository", name=name, remote=name),
        _task("conda_repository", name=f"{name}-team", state="present") | {"name": "other"},
    ]
    tasks = [
        _task("conda_sync", repository=name, allow_mass_removal=True),
        _task("conda_package", repository=name, src=[str(tmp_path)]),
        _task("conda_copy", repository=f"{name}-team", source=name, specs=["scipy"]),
        _task("conda_publication", repository=f"{name}-team", state="present"),
    ]
    ansible.tasks(setup)
    named = [task["name"] for task in tasks]

    before = everything()
    foreseen = ansible.tasks(tasks, "--check")
    assert foreseen.changed() == named
    assert foreseen.task("conda_package")["added"] == [str(tmp_path / "deep" / built.filename)]
    assert everything() == before

    done = ansible.tasks(tasks, "--diff")
    assert done.changed() == named
    assert done.task("conda_sync")["summaries"] == {"new": 2}
    assert done.task("conda_package")["version"] == 2
    copied = ["noarch/numpy-2.0-0.conda", "noarch/scipy-1.0-0.conda"]
    assert sorted(done.task("conda_copy")["copied"]) == copied
    assert done.task("conda_publication")["publication"]["package_counts"] == {"noarch": 2}

    before = everything()
    again = ansible.tasks(tasks)
    assert again.changed() == []
    assert again.task("conda_package")["present"] == [str(tmp_path / "deep" / built.filename)]
    # Of what is there, check mode knows all but what the upstream has by now.
    assert ansible.tasks(tasks, "--check").changed() == []
    assert everything() == before

    gone = [
        _task("conda_publication", repository=f"{name}-team", state="absent"),
        _task("conda_package", repository=name, filenames=[built.filename], state="absent"),
    ]
    assert len(ansible.tasks(gone, "--check").changed()) == 2
    assert everything() == before
    done = ansible.tasks(gone)
    assert len(done.changed()) == 2
    assert done.task("conda_package")["removed"] == [f"noarch/{built.filename}"]
    gone.append(_task("conda_package", repository=unique, filenames=["a"], state="absent"))
    assert ansible.tasks(gone).changed() == []


def test_a_robot_has_a_token_that_changes_with_its_options(ansible, pulp, unique):
    pulp.distribution(base_path=unique, name=unique)
    owner = f"robot+default+{unique}"

    def task(name, **options):
        return {"name": name, "pulp.conda.conda_token": {"name": "ci", "owner": owner, **options}}

    def robot(name, **options):
        return {"name": name, "pulp.conda.conda_robot": {"name": unique, **options}}

    wanted = {"scopes": ["upload", "read"], "channels": [unique], "expires": "2090-12-01"}
    done = ansible.tasks(
        [
            robot("robot foreseen", state="present") | {"check_mode": True},
            robot("robot", state="present"),
            robot("robot again", state="present"),
            robot("robot read"),
            task("foreseen", **wanted) | {"check_mode": True},
            task("made", **wanted),
            task("again", **wanted),
            task("narrower foreseen", scopes=["read"]) | {"check_mode": True},
            task("narrower", scopes=["read"]),
            task("rotated", rotate=True),
            task("for all", channels=[], expires=""),
            task("for all again", channels=[], expires=""),
            {"name": "tokens", "pulp.conda.conda_token_info": {"owner": owner}},
            {"name": "robots", "pulp.conda.conda_robot_info": {"name": unique}},
        ],
        "--diff",
    )
    assert done.changed() == [
        "robot foreseen", "robot", "foreseen", "made", "narrower foreseen", "narrower", "rotated",
        "for all",
    ]  # fmt: skip
    assert done.task("robot")["user"] == done.task("robot read")["user"] == owner
    secrets = [done.task(name).get("secret") for name in ("made", "narrower", "rotated")]
    assert secrets[1] is None and len(set(secrets)) == 3
    assert done.task("narrower")["token"]["channels"] == [unique]
    shown = {**done.task("rotated"), "secret": None}
    assert not any(secret in str(shown) for secret in secrets if secret)
    (token,) = done.task("tokens")["tokens"]
    assert (token["scopes"], token["channels"], token["expires"]) == (["read"], None, None)
    assert [each["username"] for each in done.task("robots")["robots"]] == [owner]

    pulp.post(f"{token['pulp_href']}revoke/")
    gone = [
        task("valid again", scopes=["read"], channels=[unique]),
        task("deleted", state="absent"),
        task("deleted again", state="absent"),
        robot("robot deleted", state="absent"),
        robot("robot deleted again", state="absent"),
    ]
    assert ansible.tasks(gone).changed() == ["valid again", "deleted", "robot deleted"]


def test_packages_are_blocked_and_unblocked_once(ansible, pulp, make_repository, unique):
    repository = make_repository(autopublish=True)
    package = make_package(f"bad-{unique}")
    pulp.upload(package, repository=repository)
    url = pulp.distribute(repository=repository)
    block = {"spec": f"bad-{unique}", "public_reason": "Malware."}

    def task(name, **options):
        return {"name": name, "pulp.conda.conda_block": options}

    tasks = [
        task("foreseen", **block) | {"check_mode": True},
        task("made", **block),
        task("again", **block),
        task("noted", **block, internal_note="SEC-1"),
        {"name": "info", "pulp.conda.conda_block_info": {"spec": block["spec"]}},
        {"name": "acts", "pulp.conda.conda_act_info": {"name": block["spec"], "verb": "created"}},
    ]
    done = ansible.tasks(tasks, "--diff")
    assert done.changed() == ["foreseen", "made", "noted"]
    assert done.task("made")["touched"]["purge"]["shown"] == [f"{url}noarch/{package.filename}"]
    (found,) = done.task("info")["blocks"]
    assert (found["file_count"], found["internal_note"]) == (1, "SEC-1")
    assert [act["actor"] for act in done.task("acts")["acts"]] == ["admin"]
    assert pulp.fetch(url, f"noarch/{package.filename}").status_code == 451
    lifted = {"spec": block["spec"], "state": "absent"}
    done = ansible.tasks([task("lifted", **lifted), task("lifted again", **lifted)])
    assert done.changed() == ["lifted"]
    assert pulp.names(url) == [f"bad-{unique}"]


def test_roles_in_a_channel_are_given_and_taken_once(ansible, pulp, unique):
    repository = pulp.post("repositories/conda/conda/", name=unique)["pulp_href"]
    ci = pulp.user([]).session.auth[0]
    devs = pulp.post("groups/", name=f"devs-{unique}")["name"]

    def task(name, **options):
        options = {"channel": unique, "role": "uploader", "users": [ci], **options}
        return {"name": name, "pulp.conda.conda_member": options}

    everybody = {"users": [ci], "groups": [devs]}
    tasks = [
        task("foreseen", **everybody) | {"check_mode": True},
        task("given", **everybody),
        task("again", **everybody),
        {"name": "info", "pulp.conda.conda_member_info": {"channel": unique}},
        task("not yet taken", state="absent") | {"check_mode": True},
        task("taken", state="absent"),
        task("taken again", state="absent"),
        task("also read", role="reader"),
    ]
    done = ansible.tasks(tasks, "--diff")
    assert done.changed() == ["foreseen", "given", "not yet taken", "taken", "also read"]
    given = done.task("given")["members"]
    granted = [(each["user"], each["group"]) for each in given if each["granted"]]
    assert granted == [(ci, None), (None, devs)]
    assert done.task("info")["members"] == done.task("foreseen")["members"] == given
    assert done.task("taken")["members"] == done.task("not yet taken")["members"]
    left = {"role": "uploader", "user": None, "group": devs, "granted": True, "complete": True}
    assert left in pulp.get(f"{repository}members/")


def test_publishers_are_made_changed_and_removed_once(ansible, pulp, settings, unique):
    issuer = Issuer("ansible")
    settings.WORKLOAD_IDENTITY = {"providers": {"github": issuer.provider()}}
    repository = pulp.post("repositories/conda/conda/", name=unique)["pulp_href"]
    pulp.distribution(repository=repository, name=unique, base_path=unique)

    def task(name, **options):
        return {"name": name, "pulp.conda.conda_publisher": {"name": unique, **options}}

    # YAML makes a number of an ID without quotes.
    claims = {**EXPECTED, "repository_id": 583231}
    made = {"distribution": unique, "provider": "github", "claims": claims}
    tasks = [
        task("foreseen", **made) | {"check_mode": True},
        task("made", **made),
        task("again", **made),
        task("changed", claims={**claims, "environment": "release"}),
        {"name": "info", "pulp.conda.conda_publisher_info": {"distribution": unique}},
        task("removed", state="absent"),
        task("removed again", state="absent"),
    ]
    done = ansible.tasks(tasks, "--diff")
    assert done.changed() == ["foreseen", "made", "changed", "removed"]
    assert done.task("made")["publisher"]["claims"] == EXPECTED
    (found,) = done.task("info")["publishers"]
    assert found["claims"] == {**EXPECTED, "environment": "release"}
    missing = ansible.tasks([task("nothing", state="present")], fails=True)
    assert "needs 'distribution'" in missing.output


def test_a_refresh_is_made_changed_and_removed_once(ansible, pulp, make_repository, unique):
    remote = pulp.post("remotes/conda/conda/", name=unique, url="http://localhost:1/")["pulp_href"]
    href = make_repository(remote=remote)
    name = pulp.get(href)["name"]

    def task(title, **options):
        return {"name": title, "pulp.conda.conda_refresh": {"repository": name, **options}}

    night = {"cron": "30 3 * * *", "time_zone": "Europe/Berlin"}
    tasks = [
        task("foreseen", **night) | {"check_mode": True},
        task("made", **night),
        task("again", **night),
        task("often", interval=3600),
        task("often again", interval=3600),
        task("on request", max_age=3600),
        task("on request again", max_age=3600),
    ]
    done = ansible.tasks(tasks, "--diff")
    assert done.changed() == ["foreseen", "made", "often", "on request"]
    assert done.task("made")["refresh"]["time_zone"] == "Europe/Berlin"
    stopped = CondaRefresh.objects.filter(repository=href.split("/")[-2])
    stopped.update(stopped={"code": "CND0152", "text": "ada is gone"})
    tasks = [
        task("set again", interval=3600),
        {"name": "info", "pulp.conda.conda_refresh_info": {"repository": name}},
        task("removed", state="absent"),
        task("removed again", state="absent"),
    ]
    done = ansible.tasks(tasks)
    assert done.changed() == ["set again", "removed"]
    (found,) = done.task("info")["refreshes"]
    assert (found["interval"], found["stopped"], found["user"]) == (3600, None, "admin")
    assert done.task("info")["runs"] == []


def test_a_distribution_stays_at_a_version_or_a_publication(ansible, pulp, make_repository, unique):
    repository = pulp.get(make_repository(autopublish=True))
    for version in ("1.0", "2.0"):
        pulp.upload(make_package(f"a-{unique}", version), repository=repository["pulp_href"])
    newest = pulp.newest_publication(repository["pulp_href"])
    options = {"name": unique, "base_path": unique}
    served = [
        {"repository": repository["name"]},
        {"repository": repository["name"], "version": 1},
        {"publication": newest},
    ]
    tasks = [
        {"name": f"{number} {run}", "pulp.conda.conda_distribution": options | serves}
        for number, serves in enumerate(served)
        for run in ("first", "again")
    ]
    done = ansible.tasks(tasks)
    assert done.changed() == ["0 first", "1 first", "2 first"]
    at_version = done.task("1 again")["distribution"]
    assert at_version["repository_version"].endswith("/versions/1/")
    assert done.task("2 again")["distribution"]["publication"] == newest


def test_a_promotion_moves_waits_or_is_blocked(ansible, pulp, make_repository, everything, unique):
    repository = make_repository(autopublish=True)
    pulp.upload(make_package(f"a-{unique}", index={"license": "AGPL-3.0"}), repository=repository)
    rule = {"name": "rules", "kind": "policy", "licenses": {"denied": ["AGPL-*"]}}
    approval = {"name": "yes", "kind": "approval"}
    team = pulp.lifecycle(
        repository,
        stages=[
            {"name": "unstable"},
            {"name": "testing"},
            {"name": "candidate", "gates": [approval]},
            {"name": "stable", "gates": [rule, approval]},
        ],
    )
    pulp.upload(make_package(f"b-{unique}"), repository=repository)

    def promote(stage, name=None, **options):
        options = {"lifecycle": team.name, "stage": stage, **options}
        return {"name": name or stage, "pulp.conda.conda_promote": options}

    tasks = [
        promote("testing"),
        promote("candidate"),
        promote("stable", source="testing", fail_on_block=False),
    ]
    before = everything()
    foreseen = ansible.tasks(tasks, "--check", "--diff")
    # Since testing has not moved, the stages behind it have nothing to take.
    assert foreseen.changed() == ["testing", "candidate", "stable"]
    assert foreseen.task("testing")["outcome"] == "moved"
    assert everything() == before

    done = ansible.tasks(tasks)
    assert done.changed() == ["testing", "candidate"]
    assert [task["outcome"] for task in done.tasks] == ["moved", "waiting", "blocked"]
    assert done.task("testing")["diff"]["after"] == {"testing": "v2"}
    again = ansible.tasks(tasks, "--check")
    assert again.changed() == []
    assert [task["outcome"] for task in again.tasks] == ["unchanged", "waiting", "blocked"]

    pulp.upload(make_package(f"c-{unique}"), repository=repository)
    overrides = {"rules": "known", "yes": "tried"}
    more = [
        promote("stable", "held", source="testing") | {"ignore_errors": True},
        promote("stable", "overridden", source="testing", overrides=overrides),
        promote("testing", "single", specs=[f"c-{unique}"]),
        promote("testing", "single again", specs=[f"c-{unique}"]),
    ]
    done = ansible.tasks(more)
    assert done.task("held")["failed"] is True
    assert "Gate 'rules' (policy) failed" in done.task("held")["msg"]
    assert done.changed() == ["overridden", "single"]
    assert done.task("single")["diff"]["after"] == {"testing": "v2.1"}
    assert done.task("single again")["outcome"] == "unchanged"


@pytest.fixture(scope="module")
def bad_input(ansible, pulp, tmp_path_factory):
    """The results of tasks that fail, by name, from one run. All of them stand on a channel
    `bad`.
    """
    folder = tmp_path_factory.mktemp("bad")
    (folder / "no-package-1.0-0.conda").write_text("not a package")
    (folder / "list").write_text("hello")
    pulp.post("remotes/conda/conda/", name="bad", url="http://127.0.0.1:9/channel")
    tasks = {
        "spec": _task("conda_remote", name="bad", includes=["numpy >=1.26,<<2"]),
        "subdirs": _task("conda_remote", name="bad", subdirs=["linux 64"]),
        "new without url": _task("conda_remote", name="worse", policy="on_demand"),
        "token": _task("conda_remote", name="bad", url="https://example.org/t/tk-1/team"),
        "near name": _task("conda_repository", name="bad", remote="bat"),
        "repository": _task("conda_repository", name="bad", remote="bad", autopublish=True),
        "unreachable": _task("conda_sync", repository="bad"),
        "no channel": _task("conda_distribution", name="bad", base_path="bad/linux-64"),
        "new without path": _task("conda_distribution", name="worse", state="present"),
        "no package": _task("conda_package", repository="bad", src=[str(folder)]),
        "no folder": _task("conda_package", repository="bad", src=[str(folder / "none")]),
        "no match": _task("conda_copy", repository="bad", source="bad", specs=["nothing-of-it"]),
        "no version": _task("conda_publication", repository="bad", version=7, state="present"),
        "no format": _task("conda_environment", repository="bad", name="a", source="hello"),
        "no files": _task("conda_package", repository="bad"),
        "no state": _task("conda_package", repository="bad", filenames=["a-1-0.conda"]),
        "no text": _task("conda_environment", repository="bad", name="a", format="specs"),
        "environment": _task(
            "conda_environment", repository="bad", name="a", src=str(folder / "list"),
            format="pixi.toml",
        ),
        "stages": _task("conda_lifecycle", name="bad", repository="bad", stages=[{"name": "one"}]),
        "gate": _task(
            "conda_lifecycle", name="bad", repository="bad",
            stages=[{"name": "a"}, {"name": "b", "gates": [{"name": "g", "kind": "guess"}]}],
        ),
        "lifecycle": _task("conda_lifecycle", name="bad", repository="bad"),
        "order": _task("conda_lifecycle", name="bad", stages=[{"name": "stable"}, {"name": "new"}]),
        "stage": _task("conda_promote", lifecycle="bad", stage="stabel"),
        "nothing": _task("conda_promote", lifecycle="bad", stage="testing"),
        "managed": _task("conda_distribution", name="bad-stable", repository="bad"),
        "password": _task("conda_remote", name="bad", username="admin", password="wrong"),
        "no server": _task("conda_remote", name="bad", pulp_url="http://127.0.0.1:9"),
        "check": _task("conda_package", repository="bad", src=[str(folder / "none")])
        | {"check_mode": True},
    }  # fmt: skip
    run = ansible.tasks(
        [{**task, "name": name, "ignore_errors": True} for name, task in tasks.items()]
    )
    return {task["task"]: task for task in run.tasks}


@pytest.mark.parametrize(
    "name, code, text",
    [
        pytest.param("spec", "CND0007", "includes[0]: 'numpy >=1.26,<<2'", id="match spec"),
        pytest.param("subdirs", "CND0013", "'linux 64'", id="subdir"),
        pytest.param("new without url", None, "a new one needs a 'url'", id="no url"),
        pytest.param("token", None, "Give the token as 'token'", id="token in the url"),
        pytest.param("near name", None, "no conda remote 'bat'. Did you mean 'bad'?", id="name"),
        pytest.param("unreachable", "CND0016", "127.0.0.1:9", id="upstream away"),
        pytest.param("no channel", "CND0019", "bad/linux-64", id="base path"),
        pytest.param("new without path", None, "needs a 'base_path'", id="no base path"),
        pytest.param("no package", "CND0003", "no-package-1.0-0.conda", id="no package"),
        pytest.param("no folder", None, "There is no file or folder", id="no folder"),
        pytest.param("no match", "CND0056", "nothing-of-it", id="nothing to copy"),
        pytest.param("no version", None, "versions/7/", id="no version"),
        pytest.param("no format", None, "Give the 'format'", id="no format"),
        pytest.param(
            "no files", None, "one of the following is required: src, filenames", id="no files"
        ),
        pytest.param("no state", None, "'filenames': state", id="no state"),
        pytest.param("no text", None, "Give either 'source'", id="no text"),
        pytest.param("environment", "CND0045", "not TOML", id="environment"),
        pytest.param("stages", "CND0040", "2 to 20", id="one stage"),
        pytest.param("gate", "CND0041", "'kind' has to be one of", id="gate"),
        pytest.param("order", "CND0040", "in this order", id="order of stages"),
        pytest.param("stage", None, "no stage 'stabel'", id="stage"),
        pytest.param("nothing", "CND0035", "'unstable'", id="nothing to promote"),
        pytest.param("managed", "CND0039", "'bad-stable'", id="stage by hand"),
        pytest.param("password", None, "refuses this login", id="password"),
        pytest.param("no server", None, "does not answer as Pulp does", id="no server"),
        pytest.param("check", None, "There is no file or folder", id="in check mode"),
    ],
)
def test_an_error_says_what_is_wrong(bad_input, name, code, text):
    result = bad_input[name]
    assert result["failed"] is True
    assert text in result["msg"]
    assert result.get("code") == code
    assert "Traceback" not in str(result)


def test_a_server_that_is_no_pulp_is_told_apart(ansible, upstream):
    upstream.answers["pulp/api/v3/docs/api.json"] = (200, b"<html>Welcome</html>")
    task = _task("conda_remote", name="a", url="https://example.org/a", pulp_url=upstream.url)
    done = ansible.tasks([task], fails=True)
    assert "does not answer as Pulp does" in done.tasks[0]["msg"]


def test_a_server_without_the_plugin_says_so(ansible, upstream, pulp):
    # Its API is described as that of a Pulp with other plugins.
    api = pulp.session.get(f"{pulp.url}/pulp/api/v3/docs/api.json").json()
    del api["info"]["x-pulp-app-versions"]["conda"]
    folder = upstream.folder / "pulp/api/v3/docs"
    folder.mkdir(parents=True)
    (folder / "api.json").write_text(json.dumps(api))
    task = _task("conda_remote", name="a", url="https://example.org/a", pulp_url=upstream.url)
    done = ansible.tasks([task], fails=True)
    assert "has no pulp_conda. This collection needs pulp_conda >=" in done.tasks[0]["msg"]


def test_a_sync_warns_of_a_spec_that_matched_nothing(ansible, upstream, unique):
    make_channel(upstream.folder, [make_package("numpy")])
    remote = _task("conda_remote", name=unique, url=upstream.url, excludes=["nump >=1.26"])
    done = ansible.tasks(
        [
            remote,
            _task("conda_repository", name=unique, remote=unique),
            _task("conda_sync", repository=unique),
        ]
    )
    warning = "'nump >=1.26' matched none of 1 packages (excludes[0]). Similar names: 'numpy'."
    assert warning in str(done.task("conda_sync")["warnings"])
