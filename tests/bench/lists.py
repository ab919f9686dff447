"""What does the API use for a list or one object, when a channel is large?

A request is measured by the CPU of the API's processes and of PostgreSQL.
"""

import time

from pulp_conda.channel.metadata.names import decode_lines, search
from tests.bench.figures import Target, figure, say
from tests.bench.processes import Used, cpu_seconds, own_work

# CPU is counted in hundredths of a second, so one request says nothing.
_REPETITIONS = 25
_MOST = 50
_WORDS = ("a", "py", "lib data", "nothing-has-this")

_SEARCHED = "SELECT searched FROM conda_publicationnames WHERE publication_id = %s"


def run(subjects):
    main = subjects.main
    pulp, size = main.pulp, main.channel.records
    publication, _ = main.publication
    assert main.url
    pulp.settle()
    say("Asking the API for lists")
    version = pulp.get(main.repository)["latest_version_href"]
    page = pulp.get("content/conda/packages/", repository_version=version, limit=1)
    assert page["count"] == size
    package = page["results"][0]
    in_version = {"repository_version": version}
    requests = {
        "list_packages": ("content/conda/packages/", in_version),
        "list_packages_of_name": (
            "content/conda/packages/",
            {**in_version, "name": package["name"]},
        ),
        "list_packages_of_file": ("content/conda/packages/", {"sha256": package["sha256"]}),
        "show_package": (package["pulp_href"], {}),
        "list_repositories": ("repositories/conda/conda/", {}),
        "show_version": (version, {}),
        "list_distributions": ("distributions/conda/conda/", {}),
        "list_lifecycles": ("conda/lifecycles/", {}),
    }
    for name, (path, query) in requests.items():
        limit = {"limit": 20} if name.startswith("list") else {}
        used = _ask(pulp, path, **query, **limit)
        yield _figure(name, size, used, _REPETITIONS)

    say("Searching names")
    used = Used()
    key = publication.rstrip("/").rpartition("/")[2]
    with pulp.stack.connect() as connection:
        postgres = pulp.stack.state.processes["postgres"].pid
        with own_work(used, postgres):
            for _ in range(_REPETITIONS):
                for words in _WORDS:
                    (data,) = connection.execute(_SEARCHED, [key]).fetchone()
                    search(decode_lines(data), words)
    yield _figure("search_names", size, used, _REPETITIONS * len(_WORDS))


def _ask(pulp, path, **query):
    """Ask some times, and return what the server took for all of them."""
    pulp.get(path, **query)
    processes = pulp.stack.state.processes
    of_api = [process.pid for name, process in processes.items() if name.startswith("api")]
    assert of_api
    postgres = processes["postgres"].pid
    began, before = time.monotonic(), [sum(map(cpu_seconds, of_api)), cpu_seconds(postgres)]
    for _ in range(_REPETITIONS):
        pulp.get(path, **query)
    return Used(
        time.monotonic() - began,
        sum(map(cpu_seconds, of_api)) - before[0],
        cpu_seconds(postgres) - before[1],
    )


def _figure(name, size, used, count):
    return figure(
        name,
        size,
        used,
        ratio=used.cpu / count * 1000,
        target=Target("<=", _MOST),
        smallest=20_000,
        unit="milliseconds of CPU per request",
    )
