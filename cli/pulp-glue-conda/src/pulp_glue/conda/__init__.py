"""The conda channels of a Pulp server, through its REST API."""

__version__ = "0.1.0.dev0"
