"""What is drawn while people wait."""

import re

import click
import pytest

from pulpcore.cli.conda.progress import Bars

FILE = {"message": "a.conda", "done": 1, "total": 2, "suffix": "bytes"}
FILES = {"message": "Uploading", "done": 0, "total": 1}
TASK = {"message": "Publishing", "done": 3, "total": None}


@pytest.fixture
def bars():
    bars = Bars()
    bars.on_terminal = True
    # click leaves out what moves the cursor, unless it is told that this is a terminal.
    with click.Context(click.Command("upload"), color=True):
        yield bars


def shown(written):
    """Return the lines on a terminal, the words only, which understands as much as is used."""
    lines, row = [""], 0
    for up, clear, text in re.findall(r"\x1b\[(\d+)F|\x1b\[(\d?[KJ])|([^\x1b]+)", written):
        if up:
            row -= int(up)
        elif clear == "J":
            lines[row:] = [""]
        elif clear == "2K":
            lines[row] = ""
        for number, piece in enumerate(text.split("\n")):
            row += number > 0
            lines += [""] * (row + 1 - len(lines))
            lines[row] += piece
    return [line.split("  ")[0] for line in lines]


def test_a_task_within_an_upload_is_drawn_in_its_place_and_what_is_written_stands_above(
    bars, capsys
):
    with bars:
        bars.draw([FILES, FILE])
        bars.make_room()
        click.echo("Started background task /a/", err=True)
        with bars:
            bars.draw([TASK])
            bars.draw([TASK])
        bars.draw([FILES])
    with bars:
        bars.draw([TASK])
    assert shown(capsys.readouterr().err) == [
        "Started background task /a/",
        "Uploading",
        "Publishing",
        "",
    ]
