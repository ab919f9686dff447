"""The playbooks of the collection: in check mode, once, and a second time, in which nothing
changes.
"""

import sys

import pytest

from tests.support.builders import make_channel, make_package

# What the playbooks make: their names are for people, and no other test uses them.
NAMES = ["forge", "team", "team-unstable", "team-testing", "team-stable"]

# conda itself is on no package index. This installs with py-rattler, as pixi does.
CONDA = """\
#!/bin/sh
set -eu
case "$*" in
    "create --yes --prefix "*" --override-channels --channel "*)
        prefix=$4 url=$7 && shift 7
        exec "{python}" -m pulp_conda.quickstart.client install "$url" "$prefix" "$@" ;;
    *)
        echo "The shim of the playbook's test does not know: conda $*" >&2
        exit 1 ;;
esac
"""


@pytest.fixture
def conda(ansible):
    program = ansible.programs / "conda"
    program.write_text(CONDA.format(python=sys.executable))
    program.chmod(0o755)


def _hello(version, script):
    files = {"bin/hello": script.encode()}
    return make_package("hello", version, depends=["greeting >=1"], files=files)


def test_a_channel_is_curated_and_ci_promotes_what_works(
    ansible, pulp, upstream, everything, conda, tmp_path
):
    make_channel(upstream.folder, [make_package("greeting"), make_package("other")])
    curate = {"upstream": upstream.url, "subdirs": ["noarch"], "curated": ["greeting"]}
    path = "pulp.conda.mirror_and_curate"
    built = tmp_path / "dist"
    built.mkdir()

    def build(version, script):
        package = _hello(version, script)
        (built / package.filename).write_bytes(package.data)

    build("1.0", "#!/bin/sh\necho hello\n")
    before = everything(*NAMES)
    assert before == {}
    # Nothing is there yet.
    foreseen = ansible.playbook("pulp.conda.ci_promotes", "--check", built=str(built))
    assert foreseen.changed() == ["Upload the new builds", "Promote to testing"]
    assert (
        "Copy the packages that the team needs"
        in ansible.playbook(path, "--check", **curate).changed()
    )
    assert everything(*NAMES) == before
    first = ansible.playbook(path, **curate)
    assert first.task("Promote to testing if the environments can be solved")["outcome"] == "moved"
    assert first.task("Request a promotion to stable")["outcome"] == "waiting"
    testing = pulp.get("conda/lifecycles/", name="team")["results"][0]["stages"][1]
    assert pulp.names(testing["base_url"]) == ["greeting"]
    before = everything(*NAMES)
    assert ansible.playbook(path, **curate).changed() == []
    assert everything(*NAMES) == before

    path = "pulp.conda.ci_promotes"
    ci = {"built": str(built)}
    before = everything(*NAMES)
    foreseen = ansible.playbook(path, "--check", **ci)
    assert foreseen.changed() == ["Upload the new builds"]
    assert everything(*NAMES) == before
    done = ansible.playbook(path, **ci)
    assert done.changed() == ["Upload the new builds", "Promote to testing"]
    assert done.task("Run the test")["stdout"] == "hello"
    assert pulp.names(testing["base_url"]) == ["greeting", "hello"]
    assert ansible.playbook(path, **ci).changed() == []

    # What does not run is not promoted.
    build("2.0", "#!/bin/sh\nexit 1\n")
    failed = ansible.playbook(path, fails=True, **ci)
    assert failed.changed() == ["Upload the new builds"]
    assert not [task for task in failed.tasks if task["task"] == "Promote to testing"]
    assert pulp.names(testing["base_url"]) == ["greeting", "hello"]


def test_people_read_what_is_wrong_and_no_secret(ansible, unique):
    remote = {"name": unique, "url": "https://conda.example.org/a"}
    done = ansible.tasks(
        [
            {"pulp.conda.conda_remote": {**remote, "token": "{{ secret }}"}},
            {"pulp.conda.conda_remote": {**remote, "includes": ["numpy >=1.26,<<2"]}},
        ],
        "--diff",
        fails=True,
        secret="a-secret-word",
    )
    made, refused = done.tasks
    assert made["changed"] is True
    assert refused["code"] == "CND0007"
    assert "includes[0]: 'numpy >=1.26,<<2'" in done.output
    assert "a-secret-word" not in done.output and "Traceback" not in done.output
