"""What tests share: two running Pulps for a whole run, and what a test makes in them.

`default` is what most tests with servers talk to. `domains` has DOMAIN_ENABLED, and belongs to the
tests of one process: they may kill its workers. Tests in `tasks` and `api` have a Pulp in their own
process, see `tests/support/in_process.py`.
"""

from dataclasses import dataclass
from fnmatch import fnmatch
from uuid import uuid4

import pytest

from tests.support.ansible import Ansible
from tests.support.builders import make_package
from tests.support.conda import CondaPulp
from tests.support.inside import Inside
from tests.support.program import Cli
from tests.support.sharing import ByFile, place, shared_stack
from tests.support.sigstore import Sigstore
from tests.support.skips import Skips
from tests.support.stack import running_stack
from tests.support.upstream import Upstream
from tests.support.variables import CORPUS  # noqa: F401  before the environment is cleared

# Parts of the reasons for which a test may be skipped. Any other skip is a failure.
MAY_LACK = (
    "set PULP_CONDA_CORPUS to a folder of real packages",
    "'conda' is not on the PATH",
    "'conda index' is not there",
)


def pytest_configure(config):
    config.pluginmanager.register(Skips(MAY_LACK))


def pytest_xdist_make_scheduler(config, log):
    # xdist would begin with the files of many tests. They are not those that take long.
    config.option.loadscopereorder = False
    return ByFile(config, log)


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: place(item.nodeid))


@dataclass(frozen=True)
class Mirror:
    """A remote, an autopublished repository and a distribution of it: hrefs, and the channel's
    URL.
    """

    name: str
    remote: str
    repository: str
    distribution: str
    url: str


# The running Pulps


@pytest.fixture(scope="session")
def sigstore():
    return Sigstore()


@pytest.fixture(scope="session")
def trusted_root(sigstore, tmp_path_factory):
    """The file by which a Pulp trusts our Sigstore."""
    root = tmp_path_factory.mktemp("sigstore") / "trusted_root.json"
    root.write_text(sigstore.trusted_root)
    return str(root)


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory, worker_id):
    """The folder that all processes of this run share."""
    folder = tmp_path_factory.getbasetemp()
    return folder if worker_id == "master" else folder.parent


@pytest.fixture(scope="session")
def glue_cache(run_folder):
    """Where clients keep the description of an API, which takes a server seconds to make."""
    return run_folder / "cache"


@pytest.fixture(scope="session")
def stack(trusted_root, run_folder):
    """The processes of `default`. No test stops one of them: another process may be using them."""
    settings = {"CONDA_SIGSTORE_TRUSTED_ROOT": trusted_root}
    with shared_stack(run_folder, "default", workers=2, **settings) as stack:
        yield stack


@pytest.fixture(scope="session")
def pulp(stack):
    """The API, as the administrator."""
    with CondaPulp(stack.api_url, "admin", stack.password) as pulp:
        yield pulp


@pytest.fixture(scope="session")
def domains():
    """The processes of `domains`."""
    with running_stack(workers=2, DOMAIN_ENABLED=True) as stack:
        yield stack


@pytest.fixture(scope="session")
def in_process():
    """A Pulp in this process."""
    from tests.support.in_process import InProcess  # sets Django up

    with InProcess() as pulp:
        yield pulp


# Channels, mirrors and packages: each test gets its own


@pytest.fixture
def unique():
    """A short word that no other test has, fit for package names."""
    return uuid4().hex[:8]


@pytest.fixture
def make_upstream(tmp_path_factory):
    """Start another server with an empty folder."""
    running = []

    def make(tls=None):
        upstream = Upstream(tmp_path_factory.mktemp("upstream"), tls)
        running.append(upstream.__enter__())
        return upstream

    yield make
    for upstream in running:
        upstream.__exit__()


@pytest.fixture
def upstream(make_upstream):
    return make_upstream()


@pytest.fixture
def make_repository(pulp):
    def make(**options):
        return pulp.post("repositories/conda/conda/", name=uuid4().hex, **options)["pulp_href"]

    return make


@pytest.fixture
def repository(pulp, make_repository):
    return pulp.get(make_repository())


@pytest.fixture
def make_mirror(pulp, upstream, make_repository):
    """Mirror the upstream, or another URL; options go to the remote."""

    def make(**options):
        name = f"mirror-{uuid4().hex[:8]}"
        body = {"url": upstream.url, "policy": "on_demand", **options}
        remote = pulp.post("remotes/conda/conda/", name=name, **body)["pulp_href"]
        repository = make_repository(remote=remote, autopublish=True)
        distribution = pulp.distribution(repository=repository)
        return Mirror(name, remote, repository, distribution["pulp_href"], distribution["base_url"])

    return make


@pytest.fixture
def make_packages(pulp, unique):
    """Upload packages of these names, and return their hrefs. Names end in a word of the test."""

    def make(*names):
        return [pulp.upload(make_package(f"{name}-{unique}"))["pulp_href"] for name in names]

    return make


# Programs


@pytest.fixture(scope="session")
def cli(stack, glue_cache, tmp_path_factory):
    """The program `pulp` as the administrator of the running Pulp; `pulp` is the same server
    through its API.

    `cli("conda", "remote", "list")` returns exit code, stdout and stderr; `cli.json(…)` demands
    success and parses what was written. See `Cli` for the rest.
    """
    return Cli(
        tmp_path_factory.mktemp("cli"),
        glue_cache,
        base_url=stack.api_url,
        username="admin",
        password=stack.password,
    )


@pytest.fixture(scope="session")
def inside(cli):
    """The same without a process for each command, where it is not the process that matters."""
    return Inside(cli)


@pytest.fixture(scope="session")
def ansible(stack, tmp_path_factory):
    """The programs of Ansible, with the collection of this checkout."""
    return Ansible(
        tmp_path_factory.mktemp("ansible"),
        PULP_URL=stack.api_url,
        PULP_USERNAME="admin",
        PULP_PASSWORD=stack.password,
    )


@pytest.fixture
def everything(pulp):
    """Return a function that returns all that a playbook can change, by href, without the times of
    requests.

    With names, which may be globs, it returns what has these names and what belongs to that. Other
    tests may change the rest at the same time. Of content it then returns only which there is:
    other channels have the same unit, and the first that stores its file changes the unit.
    """

    def named(path, names):
        found = pulp.list(path, limit=1000)
        return [each for each in found if any(fnmatch(each["name"], name) for name in names)]

    def read(*names):
        remotes, repositories, distributions, lifecycles = (
            named(path, names or ["*"])
            for path in (
                "remotes/conda/conda/",
                "repositories/conda/conda/",
                "distributions/conda/conda/",
                "conda/lifecycles/",
            )
        )
        found = [*remotes, *repositories, *distributions, *lifecycles]
        within = [{}]
        if names:
            latest = [repository["latest_version_href"] for repository in repositories]
            within = [{"repository_version": version} for version in latest]
        for repository in repositories:
            href = repository["pulp_href"]
            found += pulp.list("publications/conda/conda/", repository=href, limit=1000)
        for query in within:
            for kind in ("packages", "environments"):
                content = pulp.list(f"content/conda/{kind}/", limit=1000, **query)
                found += (
                    [{"pulp_href": each["pulp_href"]} for each in content] if names else content
                )
        found += [
            # To ask again for what waits already changes this, and nothing else.
            {**entry, "pulp_last_updated": None}
            for lifecycle in lifecycles
            for entry in pulp.list(f"{lifecycle['pulp_href']}history/")
        ]
        return {each["pulp_href"]: each for each in found}

    return read
