"""What pulp-glue does for each command, made fit for a process that runs many of them."""

from contextlib import contextmanager
from unittest.mock import patch

from pulp_glue.common.openapi import OpenAPI


@contextmanager
def in_process_glue(in_process):
    """Let what pulp-glue sends to the Pulp of this process get there."""
    pulp = in_process.api("admin", in_process.password)
    adapter = pulp.session.get_adapter(in_process.api_url)
    connect = OpenAPI._setup_session

    def connect_and_mount(api):
        connect(api)
        api._session.mount(in_process.api_url, adapter)

    with parsed_once(), patch.object(OpenAPI, "_setup_session", connect_and_mount):
        yield


@contextmanager
def parsed_once():
    """Let pulp-glue keep what it made of a description of an API: two megabytes, for which it takes
    0.2 seconds.
    """
    parse = OpenAPI._parse_api

    def remember(api, data):
        if data not in _PARSED:
            before = set(vars(api))
            parse(api, data)
            _PARSED[data] = {name: vars(api)[name] for name in set(vars(api)) - before}
        vars(api).update(_PARSED[data])

    with patch.object(OpenAPI, "_parse_api", remember):
        yield


_PARSED = {}
