"""The databases of this process: the migrated one, and copies of it."""

from contextlib import contextmanager
from itertools import count
from weakref import WeakSet

import psycopg
from django.db import connections
from django.db.backends.signals import connection_created
from django.dispatch import receiver

# It has all tables, and only what migrations put into them: tests work with copies.
MIGRATED = "pulp"

_numbers = count(1)
# Those of all threads, which Django does not tell: the content app and tasks have threads.
_connections = WeakSet()

# Called to close connections that are not Django's.
disconnecting = []


@receiver(connection_created)
def _remember(connection, **facts):
    _connections.add(connection)


def current():
    """Return the name of the database with which the process works now."""
    return connections["default"].settings_dict["NAME"]


@contextmanager
def used(name):
    """Let all threads work with another database, as long as the context lasts."""
    facts = connections["default"].settings_dict
    _disconnect()
    before, facts["NAME"] = facts["NAME"], name
    try:
        yield
    finally:
        _disconnect()
        facts["NAME"] = before


@contextmanager
def copied(name):
    """Copy a database, and yield the name of the copy, which is there as long as the context lasts.

    Files that somebody stores stay, under the hash of their content.
    """
    copy = f"copy_{next(_numbers)}"
    # Only what nobody uses can be copied.
    _disconnect()
    with connect("postgres") as server:
        server.execute(f"CREATE DATABASE {copy} TEMPLATE {name} STRATEGY FILE_COPY")
        try:
            yield copy
        finally:
            server.execute(f"DROP DATABASE {copy} WITH (FORCE)")


def connect(name):
    """Open a connection to a database."""
    facts = connections["default"].settings_dict
    return psycopg.connect(
        host=facts["HOST"], port=facts["PORT"], user=facts["USER"], dbname=name, autocommit=True
    )


def _disconnect():
    """Close the connections of all threads. Each connects anew when it needs to."""
    for connection in list(_connections):
        connection.inc_thread_sharing()
        connection.close()
        connection.dec_thread_sharing()
    for disconnect in disconnecting:
        disconnect()
