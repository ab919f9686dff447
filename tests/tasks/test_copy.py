"""Packages go from one channel into another, found by match specs."""

import pytest

from tests.support.builders import make_package
from tests.support.conda import TaskFailed


@pytest.fixture
def source(pulp, make_repository):
    """A channel with two versions of numpy, and scipy, which needs blas and one of them."""
    repository = make_repository()
    packages = [
        make_package("blas"),
        make_package("numpy", "1.26", depends=["blas"]),
        make_package("numpy", "2.0", depends=["blas"]),
        make_package("scipy", depends=["numpy >=2", "tzdata"]),
    ]
    units = [pulp.upload(package)["pulp_href"] for package in packages]
    pulp.modify(repository, add=units)
    return repository


def copy(pulp, source, target, *specs, **options):
    return pulp.post(f"{target}copy/", source=source, specs=list(specs), **options)["result"]


def paths(report):
    return [package["path"].partition("/")[2] for package in report["packages"]]


def filenames(pulp, repository):
    version = pulp.get(repository)["latest_version_href"]
    found = pulp.get("content/conda/packages/", repository_version=version)["results"]
    return sorted(package["filename"] for package in found)


def test_packages_come_with_what_they_need_and_a_second_copy_changes_nothing(
    pulp, source, make_repository
):
    target = make_repository()
    rehearsed = copy(pulp, source, target, "scipy", dry_run=True)
    assert paths(rehearsed) == ["blas-1.0-0.conda", "numpy-2.0-0.conda", "scipy-1.0-0.conda"]
    assert rehearsed["unmet"] == ["noarch/scipy-1.0-0.conda: tzdata"]
    assert filenames(pulp, target) == []

    report = copy(pulp, source, target, "scipy")
    assert report == rehearsed | {"dry_run": False, "version": 1}
    assert filenames(pulp, target) == paths(report)

    again = copy(pulp, source, target, "scipy")
    assert (again["outcome"], again["count"], again["version"]) == ("unchanged", 0, None)


def test_packages_come_alone_from_the_version_that_is_named(pulp, source, make_repository):
    target = make_repository()
    everything = pulp.get(source)["latest_version_href"]
    pulp.modify(source, remove=["*"])
    report = copy(pulp, everything, target, "numpy <2", "sci*", with_dependencies=False)
    assert paths(report) == ["numpy-1.26-0.conda", "scipy-1.0-0.conda"]
    assert report["source_version"] == 1


def test_another_file_of_the_same_name_is_replaced_only_if_that_is_wanted(
    pulp, source, make_repository
):
    target = make_repository()
    other = make_package("blas", files={"share/other": b"other"})
    pulp.upload(other, repository=target)
    with pytest.raises(TaskFailed) as refused:
        copy(pulp, source, target, "blas")
    assert refused.value.code == "CND0018"
    assert copy(pulp, source, target, "blas", overwrite=True)["outcome"] == "made"
    assert filenames(pulp, target) == ["blas-1.0-0.conda"]


@pytest.mark.parametrize(
    ("specs", "code"),
    [
        pytest.param(["numpy >=1,<<2"], "CND0007", id="no match spec"),
        pytest.param(["nothing-like-this"], "CND0056", id="matches nothing"),
    ],
)
def test_specs_that_mean_nothing_are_refused(pulp, source, make_repository, specs, code):
    answer = pulp.try_post(f"{make_repository()}copy/", source=source, specs=specs)
    if answer.status_code == 202:
        with pytest.raises(TaskFailed) as refused:
            pulp.wait(answer.json())
        assert refused.value.code == code
    else:
        assert answer.status_code == 400 and code in answer.text


def test_nobody_copies_from_a_channel_that_they_may_not_see(pulp, source, make_repository):
    somebody = pulp.user(["conda.condarepository_creator"])
    own = somebody.post("repositories/conda/conda/", name=f"of-{somebody}")["pulp_href"]
    answer = somebody.try_post(f"{own}copy/", source=source, specs=["numpy"])
    assert answer.status_code == 400
    assert "that you may see" in answer.text

    answer = somebody.try_post(f"{source}copy/", source=own, specs=["numpy"])
    assert answer.status_code == 404


@pytest.fixture(scope="module")
def pinned(pulp, make_repository, word):
    """A channel in which the newest releases do not go together."""
    repository = make_repository()
    packages = [
        make_package(f"app-{word}", depends=[f"left-{word}", f"right-{word}"]),
        *(
            make_package(f"left-{word}", f"{n}", depends=[f"mid-{word} {2 if n > 1 else 1}"])
            for n in (1, 2, 3)
        ),
        make_package(f"right-{word}", depends=[f"mid-{word} 1"]),
        make_package(f"mid-{word}", "1"),
        make_package(f"mid-{word}", "2"),
        make_package(f"gpu-{word}", depends=["__cuda >=12"]),
    ]
    pulp.modify(repository, add=[pulp.upload(package)["pulp_href"] for package in packages])
    return repository


def test_an_old_release_comes_if_the_solver_needs_it(pulp, pinned, make_repository, word):
    target = make_repository()
    report = copy(pulp, pinned, target, f"app-{word}", newest=1)
    assert paths(report) == [
        f"app-{word}-1.0-0.conda",
        f"left-{word}-1-0.conda",
        f"left-{word}-3-0.conda",
        f"mid-{word}-1-0.conda",
        f"mid-{word}-2-0.conda",
        f"right-{word}-1.0-0.conda",
    ]
    sizes = [
        unit["size"]
        for unit in pulp.get(
            "content/conda/packages/",
            repository_version=pulp.get(target)["latest_version_href"],
        )["results"]
    ]
    assert report["size"] == sum(sizes) > 0


def test_what_needs_a_machine_of_its_own_comes_if_the_machine_is_named(
    pulp, pinned, make_repository, word
):
    target, gpu = make_repository(), f"gpu-{word}"
    with pytest.raises(TaskFailed, match="which the machine does not have") as refused:
        copy(pulp, pinned, target, gpu)
    assert refused.value.code == "CND0126"
    assert filenames(pulp, target) == []
    report = copy(pulp, pinned, target, gpu, virtual_packages={"__cuda": "12.9"})
    assert paths(report) == [f"{gpu}-1.0-0.conda"]


def test_specs_that_do_not_go_together_are_refused(pulp, pinned, make_repository, word):
    target, specs = make_repository(), (f"left-{word} 3", f"right-{word}")
    with pytest.raises(TaskFailed) as refused:
        copy(pulp, pinned, target, *specs)
    assert refused.value.code == "CND0126"
    assert filenames(pulp, target) == []
    assert len(paths(copy(pulp, pinned, target, *specs, with_dependencies=False))) == 2


def test_a_solver_that_reaches_its_limit_copies_nothing(
    pulp, pinned, make_repository, word, settings
):
    settings.CONDA_SOLVER_MEMORY = 1
    target = make_repository()
    with pytest.raises(TaskFailed) as refused:
        copy(pulp, pinned, target, f"app-{word}")
    assert refused.value.code == "CND0129"
    assert filenames(pulp, target) == []


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"newest": -1}, id="a negative number"),
        pytest.param({"virtual_packages": ["__cuda"]}, id="a list"),
        pytest.param({"virtual_packages": {"cuda": "12"}}, id="no virtual package"),
        pytest.param({"virtual_packages": {"__cuda": "a b"}}, id="no version"),
    ],
)
def test_bounds_that_mean_nothing_are_refused_at_once(pulp, pinned, make_repository, body):
    answer = pulp.try_post(f"{make_repository()}copy/", source=pinned, specs=["x"], **body)
    assert answer.status_code == 400 and next(iter(body)) in answer.text


@pytest.fixture
def team(pulp, make_repository, word):
    """A published channel with an environment, and more than the environment is solved to."""
    repository = make_repository(autopublish=True)
    packages = [
        make_package(f"top-{word}", "1", depends=[f"low-{word}"]),
        make_package(f"top-{word}", "2", depends=[f"low-{word} <3"]),
        *(make_package(f"low-{word}", f"{n}", subdir="linux-64") for n in (1, 2, 3)),
        make_package(f"low-{word}", "1", subdir="osx-arm64"),
    ]
    pulp.modify(repository, add=[pulp.upload(package)["pulp_href"] for package in packages])
    pulp.environment(repository, "desk", f"top-{word}\n", platforms=["linux-64", "osx-arm64"])
    return repository


def test_exactly_what_an_environment_is_solved_to_is_copied(pulp, team, make_repository, word):
    target = make_repository()
    report = pulp.post(f"{target}copy/", source=team, environments=["desk"])["result"]
    assert [package["path"] for package in report["packages"]] == [
        f"linux-64/low-{word}-2-0.conda",
        f"noarch/top-{word}-2-0.conda",
        f"osx-arm64/low-{word}-1-0.conda",
    ]
    assert filenames(pulp, target) == sorted(paths(report))
    again = pulp.post(f"{target}copy/", source=team, environments=["desk"])["result"]
    assert again["outcome"] == "unchanged"


def test_an_environment_that_has_no_solution_copies_nothing(pulp, team, make_repository, word):
    target = make_repository()

    def refused(*environments, source=team):
        with pytest.raises(TaskFailed) as failed:
            pulp.post(f"{target}copy/", source=source, environments=[*environments])
        return failed.value

    assert refused("desks").code == "CND0130"
    pulp.environment(team, "odd", f"top-{word} 9\n", platforms=["linux-64"])
    failed = refused("desk", "odd")
    assert failed.code == "CND0126" and f"top-{word} ==9. Nothing" in str(failed)
    unpublished = make_repository()
    pulp.environment(unpublished, "desk", f"top-{word}\n", platforms=["linux-64"])
    assert refused("desk", source=unpublished).code == "CND0131"
    assert filenames(pulp, target) == []


def test_a_copy_needs_specs_or_environments_and_not_both(pulp, team, make_repository):
    for body in ({}, {"specs": ["a"], "environments": ["desk"]}):
        answer = pulp.try_post(f"{make_repository()}copy/", source=team, **body)
        assert answer.status_code == 400 and "environments" in answer.text
