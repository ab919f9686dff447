"""The example at the end of each help page."""

import shlex

import click


def add_examples(group: click.Group, *lines: str) -> None:
    """Show each line as an example at the end of the help page of its command.

    A line is the text after the name of the group. The help page of a group shows the first line.
    """
    for line in lines:
        command: click.Command = group
        add_example(group, f"{group.name} {line}")
        for word in shlex.split(line):
            # Words that are no commands are options, as in `content --type patch list`.
            if isinstance(command, click.Group) and word in command.commands:
                command = command.commands[word]
                add_example(command, f"{group.name} {line}")


def add_example(command: click.Command, line: str) -> None:
    """Show `pulp conda LINE` at the end of a help page. A group shows only its first line."""
    if command.help and "{" not in command.help:
        # The help page of the group shows this. pulp-cli shows only the names of commands there.
        command.short_help = command.help.partition("\n\n")[0].replace("\n", " ")
    if not command.epilog:
        # "\b" makes click keep the line breaks.
        command.epilog = "\b\nExample:"
    elif isinstance(command, click.Group):
        return
    command.epilog += f"\n  pulp conda {line}"
