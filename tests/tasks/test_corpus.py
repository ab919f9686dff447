"""All real packages: a channel of the good ones is mirrored, and the bad ones are refused.

Other forms of the index of that channel are in tests/slow.
"""

import pytest

from tests.support.conda import TaskFailed
from tests.support.corpus import CORPUS, check_mirrored, needs_corpus, rows, write_channel

pytestmark = needs_corpus


def test_every_record_is_mirrored_key_for_key_and_every_file_byte_for_byte(
    pulp, upstream, make_mirror
):
    records = write_channel(upstream.folder)
    mirror = make_mirror(subdirs=sorted(records))
    pulp.sync(mirror.repository)
    check_mirrored(pulp, mirror.url, records)


def test_every_bad_file_is_refused_and_stored_nowhere(pulp):
    before = pulp.get("artifacts/")["count"]
    for row in rows(ok=False):
        path = CORPUS / row["filename"]
        with pytest.raises((TaskFailed, OSError)) as refused:
            pulp.upload_bytes(path.name, path.read_bytes())
        if isinstance(refused.value, TaskFailed):
            assert refused.value.code.startswith("CND"), path.name
        else:
            # Pulp itself takes no empty file.
            assert path.stat().st_size == 0
    assert pulp.get("artifacts/")["count"] == before
