"""Runs the blocks of the guides, each on what its tutorial leaves behind."""

import pytest

from tests.docs.steps import CHECKOUT, quiet, read_steps, read_tutorial

# The command line, set up for the administrator, and an upstream channel.
_COMMANDS = """\
pulp config create --base-url http://127.0.0.1:24817 --username admin --password "$(
    python -m pulp_conda.quickstart status --json | python -c '
import json, sys
print(open(json.load(sys.stdin)["password_file"]).read().strip())')"
python -c 'from pulp_conda.quickstart.sample import build_channel; build_channel("upstream")'
python -m http.server --bind 127.0.0.1 --directory upstream 8000 >upstream.log 2>&1 &
curl --silent --retry 10 --retry-connrefused http://127.0.0.1:8000/noarch/repodata.json"""

# What a guide takes for granted, in terms of what a tutorial leaves behind.
GUIDES = {
    "announce": ("first-channel", 'STABLE=$(field result.pulp_href <<<"$STABLE")'),
    "curated-mirror": ("first-channel", ""),
    "gates": ("safe-releases", ""),
    "time-travel": ("safe-releases", ""),
    "keep-fresh": (
        None,
        f"""\
{{
{_COMMANDS}
pulp conda channel create team --base-path team/unstable --upstream http://127.0.0.1:8000 --sync
pulp conda lifecycle create team --repository team --stage unstable=team --stage testing
}} >setup.log 2>&1 || cat setup.log""",
    ),
    "lifecycle": (
        "first-channel",
        """\
pulp "${REPOSITORY}modify/" --header "$JSON" \\
    --data "{\\"base_version\\": \\"${REPOSITORY}versions/1/\\"}" | finish >/dev/null
TESTING=$(field result.pulp_href <<<"$TESTING")
STABLE=$(field result.pulp_href <<<"$STABLE")
APPROVER=ada:a-long-Password-1
ADA=$(pulp /pulp/api/v3/users/ --header "$JSON" \\
    --data '{"username": "ada", "password": "a-long-Password-1"}' | field pulp_href)
pulp "${ADA}roles/" --header "$JSON" \\
    --data '{"role": "conda.condalifecycle_approver", "content_object": null}' >/dev/null""",
    ),
    "patch": (
        "first-channel",
        """\
python - <<'END'
from pathlib import Path
from pulp_conda.quickstart.sample import build_package
instructions = '{"packages.conda": {"hello-2.0-0.conda": {"license": "MIT"}}}'
files = {"noarch/patch_instructions.json": instructions}
build_package(Path.cwd(), name="team-repodata-patches", version="1.0", files=files)
END
pulp /pulp/api/v3/content/conda/packages/ \\
    --form file=@team-repodata-patches-1.0-0.conda | finish >/dev/null""",
    ),
    "promote": ("first-channel", ""),
    "virtual-channel": (
        None,
        f"""\
{{
{_COMMANDS}
pulp conda channel create team
pulp conda channel create forge --upstream http://127.0.0.1:8000 --sync
}} >setup.log 2>&1 || cat setup.log""",
    ),
}


@pytest.mark.parametrize("guide", GUIDES)
def test_every_command_of_a_guide_prints_what_it_says(run_docs, guide):
    tutorial, granted = GUIDES[guide]
    before = [quiet(part) for part in read_tutorial(tutorial)[0]] if tutorial else []
    text = (CHECKOUT / f"docs/user/guides/{guide}.md").read_text()
    run_docs([*before, granted, *read_steps(text)])
