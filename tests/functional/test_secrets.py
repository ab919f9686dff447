"""What no log of any process of Pulp may say."""

import json

import pytest

from tests.support.builders import make_channel, make_package
from tests.support.conda import TaskFailed


def test_a_token_is_used_and_never_shown(pulp, stack, upstream, make_upstream, make_mirror):
    package, gone = make_package("private"), make_package("private-gone")
    make_channel(upstream.folder / "t/tk-Secret-1/private", [package, gone])
    mirror = make_mirror(url=f"{upstream.url}/t/tk-Secret-1/private", max_retries=1)
    pulp.sync(mirror.repository)
    assert pulp.fetch(mirror.url, f"noarch/{package.filename}").content == package.data
    upstream.answers[f"t/tk-Secret-1/private/noarch/{gone.filename}"] = (404, b"")
    assert pulp.fetch(mirror.url, f"noarch/{gone.filename}").status_code == 404
    for name in ("repodata.json.zst", "repodata.json"):
        upstream.answers[f"t/tk-Secret-1/private/noarch/{name}"] = (503, b"")
    with pytest.raises(TaskFailed) as refused:
        pulp.sync(mirror.repository)
    error = refused.value
    assert error.description.startswith(f"[{error.code}] Remote '{mirror.name}': ")
    assert "tk-Secret-1" not in error.description
    assert "tk-Secret-1" not in json.dumps(pulp.get(mirror.remote))
    assert pulp.get(mirror.remote)["url"] == f"{upstream.url}/private"
    logs = [log.read_text() for log in stack.state.logs.iterdir()]
    assert any(f"/t/***/private/noarch/{gone.filename}" in log for log in logs)
    assert not any("tk-Secret-1" in log for log in logs)
