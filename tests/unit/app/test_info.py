import io

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from pulp_conda.app.models import CondaPackage, CondaPackageInfo
from pulp_conda.app.serializers import CondaPackageSerializer
from pulp_conda.app.viewsets import CondaPackageViewSet
from pulp_conda.channel.package.info import read_info
from tests.support.builders import make_package, make_record

pytestmark = pytest.mark.django_db

KEYS = ("about", "run_exports", "licenses", "link", "traits")


def add(record):
    package = CondaPackage.from_record(record)
    package.save()
    return package


def shown(package_s, many=False, query=""):
    request = Request(APIRequestFactory().get(f"/{query}"))
    return CondaPackageSerializer(package_s, many=many, context={"request": request}).data


def test_what_was_read_from_a_file_is_shown_as_it_is():
    about = r'{"summary": "Gr\u0000eets", "extra": {"é": [1, 1.5, null]}}'.encode()
    package = make_package(
        info={
            "about.json": about,
            "run_exports.json": b'{"weak": ["hello >=1"]}',
            "licenses/\udcff": b"",
        }
    )
    info = read_info(io.BytesIO(package.data), filename=package.filename, size=len(package.data))
    CondaPackageInfo.remember(package.record.sha256, info)
    row = shown(add(package.record))
    assert row["about"] == {"summary": "Greets", "extra": {"é": [1, 1.5, None]}}
    assert row["run_exports"] == {"weak": ["hello >=1"]}
    assert row["licenses"] == ["\ufffd"]
    assert row["link"] is None
    assert row["traits"] == info.traits


def test_nothing_is_said_of_a_file_that_nobody_has_read():
    row = shown(add(make_record()))
    assert {key: row[key] for key in KEYS} == dict.fromkeys(KEYS)


def test_run_exports_are_known_from_the_upstream_before_the_file_is_read():
    record = make_record()
    CondaPackageInfo.objects.create(sha256=record.sha256, run_exports='{"weak":["a"]}')
    row = shown(add(record))
    expected = dict.fromkeys(KEYS) | {"run_exports": {"weak": ["a"]}}
    assert {key: row[key] for key in KEYS} == expected


@pytest.mark.parametrize("query", ["", "?fields=filename,about", "?fields=filename"])
def test_a_list_takes_the_same_queries_however_long_it_is(query):
    packages = [add(make_record("a", f"1.{number}")) for number in range(20)]
    for package in packages[::2]:
        CondaPackageInfo.objects.create(sha256=package.sha256, about={"summary": package.version})

    def queries(count):
        listed = CondaPackageViewSet.queryset.order_by("filename")[:count]
        with CaptureQueriesContext(connection) as captured:
            assert len(shown(listed, many=True, query=query)) == count
        return captured

    assert len(queries(2)) == len(queries(20))
    asked = [one for one in queries(20) if "conda_condapackageinfo" in one["sql"]]
    assert len(asked) == (query != "?fields=filename")
