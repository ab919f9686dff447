"""Benchmarks: `python -m tests.bench --size 50000 --only sync,publish`, or `make bench`.

Prints a JSON object per figure, and on standard error what is going on.
"""

import argparse
import sys

from tests.bench import (
    block,
    daily,
    growth,
    lists,
    modify,
    publish,
    requests,
    serve,
    sync,
    upload,
    virtual,
)
from tests.bench.figures import describe_machine, say
from tests.bench.subjects import SMALLEST, Subjects

# In an order in which none is in the way of the next: `serve` wants small channels to be alone, and
# `virtual` adds a small one to the large one.
TOPICS = {
    "sync": sync,
    "publish": publish,
    "lists": lists,
    "serve": serve,
    "requests": requests,
    "block": block,
    "modify": modify,
    "growth": growth,
    "daily": daily,
    "upload": upload,
    "virtual": virtual,
}


def main(arguments=None):
    """Return the exit status."""
    options = _parse(arguments)
    say(describe_machine())
    with Subjects(options.size) as subjects:
        failed = report(figures(subjects, options.only))
    if failed:
        say(f"Targets that do not hold: {', '.join(failed)}")
    say(f"Repeat with: make bench SIZE={options.size} ONLY={','.join(options.only)}")
    return 1 if failed and options.check else 0


def figures(subjects, topics=tuple(TOPICS)):
    """Measure, and yield each `Figure` as soon as it is known."""
    for name, topic in TOPICS.items():
        if name in topics:
            yield from topic.run(subjects)


def report(figures):
    """Print figures as they come, and return the names of those whose target does not hold."""
    failed = []
    for figure in figures:
        print(figure.as_json(), flush=True)
        if figure.holds is False:
            failed.append(figure.bench)
    return failed


def _parse(arguments):
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--size", type=_size, default=200_000, help="records of a channel")
    parser.add_argument(
        "--only", type=_topics, default=list(TOPICS), help=f"some of {','.join(TOPICS)}"
    )
    parser.add_argument(
        "--check", action="store_true", help="exit with 1 if a target does not hold"
    )
    return parser.parse_args(arguments)


def _size(text):
    if not text.isdigit() or int(text) < SMALLEST:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of records, {SMALLEST} or more")
    return int(text)


def _topics(text):
    names = text.split(",")
    if unknown := sorted(set(names) - set(TOPICS)):
        raise argparse.ArgumentTypeError(f"'{unknown[0]}' is none of {', '.join(TOPICS)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
