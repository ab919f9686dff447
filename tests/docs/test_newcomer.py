"""How many commands it takes from nothing to a filtered mirror with three stages and an install."""

import re

from tests.docs.steps import TUTORIALS

PAGE = TUTORIALS / "mirror-in-stages.md"


def _commands(text):
    """Return the commands of the blocks that a newcomer runs, one for each line."""
    counted = []
    pattern = r"(?:^<!-- (.*?) -->\n)?^```bash\n(.*?)^```"
    for comment, block in re.findall(pattern, text, re.MULTILINE | re.DOTALL):
        if not comment.startswith("not counted"):
            lines = block.replace("\\\n", " ").strip().splitlines()
            counted += [command.strip() for line in lines for command in line.split(" && ")]
    return counted


def test_a_newcomer_needs_few_commands():
    text = PAGE.read_text().partition("\n## Stop\n")[0]
    commands = [each for each in _commands(text) if "venv" not in each and "source" not in each]
    assert len(commands) == 6, commands
    assert [each.split()[0] for each in commands] == (
        ["pip", "pulp-conda-quickstart", "pulp", "pulp", "pulp", "conda"]
    )
