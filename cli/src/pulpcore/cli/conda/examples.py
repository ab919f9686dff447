"""The example at the end of each help page."""

import shlex

import click


def add_examples(group: click.Group, *lines: str) -> None:
    """Show each of the lines at the end of the help page of the command that it calls.

    A line is what stands behind the name of the group. A group shows the first line of its
    commands.
    """
    for line in lines:
        command: click.Command = group
        add_example(group, f"{group.name} {line}")
        for word in shlex.split(line):
            # Other words are options of a group, as in `content --type patch list`.
            if isinstance(command, click.Group) and word in command.commands:
                command = command.commands[word]
                add_example(command, f"{group.name} {line}")


def add_example(command: click.Command, line: str) -> None:
    """Show what stands behind `pulp conda` at the end of a help page, the first line only if it is
    that of a group.
    """
    if command.help and "{" not in command.help:
        # For the page of its group. pulp-cli lists bare names, as what it makes itself is named for
        # what it does.
        command.short_help = command.help.partition("\n\n")[0].replace("\n", " ")
    if not command.epilog:
        # "\b" has click leave the lines as they are.
        command.epilog = "\b\nExample:"
    elif isinstance(command, click.Group):
        return
    command.epilog += f"\n  pulp conda {line}"
