"""`pulp conda act`: what people and auditors read."""

import json

from pulp_glue.conda import context


def test_an_export_reads_page_by_page(cli, pulp, unique, monkeypatch):
    # More pages than one.
    monkeypatch.setattr(context, "BATCH_SIZE", 2)
    repository = pulp.post("repositories/conda/conda/", name=unique)["pulp_href"]
    for description in ("one", "two", "three"):
        pulp.patch(repository, description=description)
    exported = cli.ok("conda", "act", "export", "--channel", unique).stdout
    lines = [json.loads(line) for line in exported.splitlines()]
    assert [line["verb"] for line in lines] == ["created", "granted", *["updated"] * 3]
    assert lines[::-1] == pulp.list("conda/acts/", channel=unique)
    moment = lines[2]["pulp_created"][:19]
    before = cli.ok("conda", "act", "export", "--channel", unique, "--until", moment).stdout
    assert len(before.splitlines()) < len(lines)
