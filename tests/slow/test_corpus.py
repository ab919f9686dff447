"""A channel of all real packages, mirrored from a plain static folder in every form that an index
has.
"""

import pytest

from tests.support.corpus import check_mirrored, needs_corpus, write_channel


@needs_corpus
@pytest.mark.parametrize("form", ["repodata.json", "repodata.json.zst", "shards"])
def test_every_record_is_mirrored_key_for_key_and_every_file_byte_for_byte(
    pulp, upstream, make_mirror, form
):
    records = write_channel(upstream.folder, form)
    mirror = make_mirror(subdirs=sorted(records))
    pulp.sync(mirror.repository)
    check_mirrored(pulp, mirror.url, records)
