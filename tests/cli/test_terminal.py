"""Who reads: people on a terminal, or a program."""

import fcntl
import json
import os
import pty
import re
import struct
import termios


def _on_terminal(cli, width, *words):
    """Run a command whose output is a terminal, and return the lines on it."""
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    environment = {key: value for key, value in cli.environment.items() if key != "COLUMNS"}
    process = cli.start(*words, stdout=child, stderr=child, env=environment)
    os.close(child)
    drawn = b""
    try:
        while piece := os.read(parent, 4096):
            drawn += piece
    except OSError:  # the other end is closed
        pass
    os.close(parent)
    assert process.wait(60) == 0, drawn
    return drawn.decode().splitlines()


def test_a_terminal_has_tables_that_fit_and_no_colors(cli, inside, unique, tmp_path):
    inside.ok("conda", "channel", "create", unique, "--stages", "unstable,testing")
    status = ("conda", "lifecycle", "status", unique)
    show = ("conda", "lifecycle", "show", unique)
    wide, narrow = (_on_terminal(cli, width, *show) for width in (200, 50))
    assert wide == inside.ok(*status).stdout.splitlines()
    end = wide[0].index("  URL")
    assert narrow == [line[:end].rstrip() for line in wide]
    assert json.loads(cli.ok(*show).stdout)["name"] == unique
    chosen = cli.configured(tmp_path, format="yaml")
    # pulp-cli colors YAML itself.
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in _on_terminal(chosen, 100, *show)]
    assert f"name: {unique}" in lines
