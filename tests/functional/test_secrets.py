"""What no log of any process of Pulp may say."""

import json

import pytest

from tests.support.builders import make_channel, make_package
from tests.support.conda import TaskFailed


def test_a_token_is_used_and_never_shown(pulp, stack, upstream, make_upstream, make_mirror):
    package = make_package("private")
    make_channel(upstream.folder / "t/tk-Secret-1/private", [package])
    mirror = make_mirror(url=f"{upstream.url}/t/tk-Secret-1/private", max_retries=1)
    pulp.sync(mirror.repository)
    assert pulp.fetch(mirror.url, f"noarch/{package.filename}").content == package.data
    upstream.answers["t/tk-Secret-1/private/noarch/repodata.json.zst"] = (503, b"")
    with pytest.raises(TaskFailed) as refused:
        pulp.sync(mirror.repository)
    error = refused.value
    assert error.description.startswith(f"[{error.code}] Remote '{mirror.name}': ")
    assert "tk-Secret-1" not in error.description
    assert "tk-Secret-1" not in json.dumps(pulp.get(mirror.remote))
    assert pulp.get(mirror.remote)["url"] == f"{upstream.url}/private"
    for log in stack.state.logs.iterdir():
        assert "tk-Secret-1" not in log.read_text(), log
