"""Make the pictures of the README, of a real Pulp that tells the story of the demo.

    python -m tests.pictures

It needs Debian's Chromium.
"""

import io
import re
from contextlib import redirect_stdout
from pathlib import Path

from rich.console import Console
from rich.text import Text

from pulp_conda.quickstart.demo import Demo
from pulp_conda.quickstart.sample import build_channel
from pulp_conda.quickstart.services import Stack
from tests.support.browser import WIDE, Window, chromium
from tests.support.stack import running_stack
from tests.support.upstream import Upstream

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"

# What the picture shows in place of the address of this machine.
_ORIGIN = "https://pulp.example.org"

_TITLE = "A promotion that a gate blocks, and then lets pass"
_DESCRIPTION = (
    "A session of pulp conda. After a sync, a gate blocks the promotion to testing, with the text "
    "of the solver. After the missing package was uploaded, testing and stable move."
)
_COLUMNS = 100
_COLORS = {
    r"^\$.*": "bold",
    r"^#.*": "bright_black",
    r"\b(passed|moves)\b": "green",
    r"\b(failed|blocks|stays)\b": "red",
}


def main() -> None:
    """Write `terminal.svg` and `board.png`."""
    FOLDER.mkdir(exist_ok=True)
    told = io.StringIO()
    with running_stack() as stack:
        demo = Demo(stack, ["hello"])
        build_channel(demo.folder / "upstream")
        with Upstream(demo.folder / "upstream") as upstream:
            with redirect_stdout(io.StringIO()):
                demo.mirror(upstream.url)
                demo.promote()
            with redirect_stdout(told):
                demo.break_upstream()
            _take_board(stack, FOLDER / "board.png")
            with redirect_stdout(told):
                demo.repair()
    draw_terminal(told.getvalue(), FOLDER / "terminal.svg")


def draw_terminal(told: str, path: Path) -> None:
    """Write what the demo told as a picture of a terminal, without the installations."""
    lines = []
    for line in told.splitlines():
        line = re.sub(r"http://127\.0\.0\.1:\d+", _ORIGIN, line)
        line = re.sub(r"/\S*/(built|demo)/(?=\S+\.conda)", "", line)
        line = re.sub(r"^\d+\. ", "# ", line).removeprefix("   ")
        lines.append(line)
    text = "\n".join(lines)
    # Neither how clients install, nor what they do.
    text = re.sub(r"\$ pulp conda lifecycle url .*?(?=\n#|\Z)", "", text, flags=re.DOTALL)
    drawn = Text(text.strip())
    for pattern, style in _COLORS.items():
        drawn.highlight_regex(re.compile(pattern, re.MULTILINE), style)
    console = Console(record=True, width=_COLUMNS, file=io.StringIO())
    console.print(drawn, soft_wrap=False)
    drawing = console.export_svg(title="pulp conda", unique_id="terminal")
    # Without the fonts of another server, which pages of others do not load.
    drawing = re.sub(r"@font-face \{.*?\}\s*", "", drawing, flags=re.DOTALL)
    described = f"<title>{_TITLE}</title><desc>{_DESCRIPTION}</desc>"
    path.write_text(re.sub(r"(<svg [^>]*>)", rf"\1{described}", drawing, count=1))


def _take_board(stack: Stack, path: Path) -> None:
    with chromium() as browser, Window(browser, WIDE, device_scale_factor=1) as window:
        window.open(f"{stack.api_url}/pulp/api/v3/conda/board/")
        window.page.fill("input[name=username]", "admin")
        window.page.fill("input[name=password]", stack.password)
        window.page.click("[type=submit]")
        window.page.click("th a")
        window.page.wait_for_selector("text=The gates said of")
        window.page.screenshot(path=path, clip={"x": 0, "y": 0, "width": WIDE, "height": 760})


if __name__ == "__main__":
    main()
