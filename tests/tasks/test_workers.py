"""What the plugin does in workers of Pulp."""

import pytest

from tests.support import databases


@pytest.mark.parametrize(("kind", "expected"), [("worker", ["unblock"]), ("content", [])])
def test_a_worker_that_starts_looks_for_tasks_that_wait(stack, kind, expected):
    from pulpcore.app.models import AppStatus  # noqa: TID251  no API of plugins has it

    with databases.connect(databases.current()) as listening:
        listening.autocommit = True
        listening.execute("LISTEN pulp_worker_wakeup")
        status = AppStatus(name=f"{kind}@test", app_type=kind, ttl="00:00:30", versions={})
        status.save()
        try:
            for _ in range(3):
                status.save_heartbeat()
            told = [each.payload for each in listening.notifies(timeout=0.2)]
        finally:
            status.delete()
    assert told == expected
