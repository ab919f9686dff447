"""The files of `deploy/` fit together, and what the guide says of them is there."""

import re
import runpy
from configparser import ConfigParser
from pathlib import Path

import pytest
import yaml

CHECKOUT = Path(__file__).parents[2]
DEPLOY = CHECKOUT / "deploy"
GUIDE = CHECKOUT / "docs/admin/guides/production.md"
SERVICES = yaml.safe_load((DEPLOY / "compose.yml").read_text())["services"]
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
KINDS = re.findall(r"^(\w+)\)$", (DEPLOY / "start").read_text(), re.M)
PULP = [name for name, service in SERVICES.items() if service["image"] == "pulp-conda"]


def _site_env():
    lines = (DEPLOY / "site.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_every_kind_of_process_runs_twice_and_comes_back():
    started = {name: SERVICES[name]["command"] for name in PULP}
    assert set(KINDS) == {"migrate", "healthy", "api", "content", "worker"}
    for kind in ("api", "content", "worker"):
        names = [name for name, command in started.items() if command == [kind]]
        assert names == [f"{kind}-1", f"{kind}-2"]
    assert all(SERVICES[name]["restart"] == "always" for name in SERVICES if name != "migrate")


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_waits_for_services_that_tell_their_health(name):
    for other, wanted in SERVICES[name].get("depends_on", {}).items():
        assert ("healthcheck" in SERVICES[other]) == (wanted["condition"] == "service_healthy")


@pytest.mark.parametrize(
    "upstream", re.findall(r"server ([\w-]+):(\d+)", (DEPLOY / "nginx.conf").read_text())
)
def test_nginx_asks_processes_that_are_there(upstream):
    name, port = upstream
    assert name in SERVICES
    assert f":{port}/" in SERVICES[name]["healthcheck"]["test"][-1]


def test_the_image_has_all_that_it_copies():
    text = (DEPLOY / "Containerfile").read_text()
    for path in re.findall(r"^COPY (deploy/\S+) ", text, re.M):
        assert (CHECKOUT / path).exists(), path
    assert set(re.findall(r"--target (\w+)", text)) == set(
        re.findall(r" AS (site|web)$", text, re.M)
    )
    assert re.search(r"^USER pulp$", text, re.M)


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_a_unit_runs_a_process_of_its_kind_and_comes_back(path):
    unit = ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read_string(path.read_text())
    kind = re.fullmatch(r"pulp-conda-(\w+)@?", path.stem)[1]
    assert unit["Service"]["ExecStart"] == f"/opt/pulp/bin/start {kind}"
    assert (unit["Service"]["Restart"], unit["Service"]["User"]) == ("always", "pulp")
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"
    target = (DEPLOY / "systemd/pulp-conda.target").read_text()
    assert re.search(rf"{re.escape(path.stem)}(1)?\.service", target)


@pytest.mark.parametrize("s3", [False, True], ids=["disk", "S3"])
def test_the_settings_come_from_the_environment_and_from_files(monkeypatch, tmp_path, s3):
    for name in ("secret-key", "database-password", "s3-access-key", "s3-secret-key"):
        (tmp_path / name).write_text(f"the {name}\n")
    values = _site_env() | {"SITE_SECRETS": str(tmp_path), "SITE_DATA": "/data"}
    if s3:
        values |= {"SITE_S3_ENDPOINT": "https://s3.example.org"}
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    settings = runpy.run_path(str(DEPLOY / "settings.py"))
    assert settings["SECRET_KEY"] == "the secret-key"
    assert settings["DATABASES"]["default"]["PASSWORD"] == "the database-password"
    assert settings["CONTENT_ORIGIN"] == "https://conda.example.org"
    assert settings["CONDA_BOARD_ORIGIN"] == "https://conda.example.org"
    assert settings["MEDIA_ROOT"] == ("" if s3 else "/data/media")
    assert settings.get("REDIRECT_TO_OBJECT_STORAGE") == (True if s3 else None)
    if s3:
        options = settings["STORAGES"]["default"]["OPTIONS"]
        assert options["secret_key"] == "the s3-secret-key"
        assert options["endpoint_url"] == "https://s3.example.org"


def test_the_environment_has_what_the_settings_and_the_start_ask_for():
    asked = set()
    for name in ("settings.py", "start"):
        asked |= set(re.findall(r"\bSITE_\w+", (DEPLOY / name).read_text()))
    assert asked - {"SITE_HOST"} <= set(_site_env())
    assert set(_site_env()) <= asked


def test_the_guide_names_every_file_and_every_value():
    text = GUIDE.read_text()
    for path in DEPLOY.rglob("*"):
        # A site has its secrets and its certificate beside these files.
        if path.is_file() and not {"secrets", "tls"} & set(path.parts):
            assert f"`{path.relative_to(CHECKOUT)}`" in text, path
    for name in _site_env():
        assert f"`{name}`" in text, name


def test_the_guide_names_every_check():
    ids = set(
        re.findall(r'"(conda\.[EW]\d+)"', (CHECKOUT / "pulp_conda/app/checks.py").read_text())
    )
    assert ids == set(re.findall(r"`(conda\.[EW]\d+)`", GUIDE.read_text()))
