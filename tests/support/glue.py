"""What pulp-glue does for each command, made fit for a process that runs many of them."""

import asyncio
from contextlib import contextmanager
from unittest.mock import patch

from pulp_glue.common.openapi import OpenAPI
from requests.adapters import BaseAdapter


@contextmanager
def in_process_glue(in_process):
    """Let what pulp-glue sends to the Pulp of this process get there."""
    pulp = in_process.api("admin", in_process.password)
    adapter = _WithLoop(pulp.session.get_adapter(in_process.api_url))
    connect = OpenAPI._setup_session

    def connect_and_mount(api):
        connect(api)
        api._session.mount(in_process.api_url, adapter)

    with parsed_once(), patch.object(OpenAPI, "_setup_session", connect_and_mount):
        yield
    asyncio.set_event_loop(_LOOP)


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
_LOOP = asyncio.new_event_loop()


class _WithLoop(BaseAdapter):
    """Pulp's tasks take the event loop that there is. pulp-glue leaves none, as `asyncio.run`
    does.
    """

    def __init__(self, adapter):
        super().__init__()
        self._adapter = adapter

    def send(self, *arguments, **options):
        asyncio.set_event_loop(_LOOP)
        return self._adapter.send(*arguments, **options)

    def close(self):
        pass
