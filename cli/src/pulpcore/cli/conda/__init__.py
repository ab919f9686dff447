"""The commands `pulp conda …`."""

from typing import Any

import click
from pulp_cli.generic import pulp_group
from pulp_glue.common.i18n import get_translation

from pulpcore.cli.conda.act import act
from pulpcore.cli.conda.block import block
from pulpcore.cli.conda.channel import channel
from pulpcore.cli.conda.content import content
from pulpcore.cli.conda.delivery import delivery
from pulpcore.cli.conda.distribution import distribution
from pulpcore.cli.conda.doctor import doctor
from pulpcore.cli.conda.environment import environment
from pulpcore.cli.conda.examples import add_example
from pulpcore.cli.conda.export import export
from pulpcore.cli.conda.lifecycle import lifecycle
from pulpcore.cli.conda.lock import lock
from pulpcore.cli.conda.messages import CondaGroup
from pulpcore.cli.conda.publication import publication
from pulpcore.cli.conda.publisher import publisher
from pulpcore.cli.conda.remote import remote
from pulpcore.cli.conda.repository import repository
from pulpcore.cli.conda.search import search
from pulpcore.cli.conda.spelling import remember_running
from pulpcore.cli.conda.status import status
from pulpcore.cli.conda.table import add_table_format
from pulpcore.cli.conda.token import robot, token

translation = get_translation(__package__)
_ = translation.gettext

__version__ = "0.1.0.dev0"


@pulp_group(
    name="conda", cls=CondaGroup, help=_("Mirror, curate, promote and serve conda channels.")
)
def conda_group() -> None:
    pass


conda_group.add_command(act)
conda_group.add_command(block)
conda_group.add_command(channel)
conda_group.add_command(content)
conda_group.add_command(delivery)
conda_group.add_command(distribution)
conda_group.add_command(doctor)
conda_group.add_command(environment)
conda_group.add_command(export)
conda_group.add_command(lifecycle)
conda_group.add_command(lock)
conda_group.add_command(publication)
conda_group.add_command(publisher)
conda_group.add_command(remote)
conda_group.add_command(repository)
conda_group.add_command(robot)
conda_group.add_command(search)
conda_group.add_command(status)
conda_group.add_command(token)

add_example(
    conda_group,
    "channel create mirror --upstream https://conda.anaconda.org/conda-forge --subdirs noarch",
)
remember_running(conda_group)


def mount(main: click.Group, **kwargs: Any) -> None:
    add_table_format(main)
    main.add_command(conda_group)
