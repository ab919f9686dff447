"""The board with buttons in domains, over HTTP: each has its own, behind one login."""

import re
from uuid import uuid4

import pytest
import requests

from tests.support.builders import make_package


@pytest.fixture
def browser(stack):
    """A session that logged in at the login page, and kept its cookies."""
    with requests.Session() as session:
        url = f"{stack.api_url}/auth/login/"
        token = _token(session.get(url, timeout=60))
        login = {"username": "admin", "password": stack.password, "csrfmiddlewaretoken": token}
        answer = session.post(url, {**login, "next": "/pulp/default/api/v3/conda/board/"})
        assert answer.status_code == 200 and "Boards" in answer.text
        yield session


def _token(page):
    return re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)[1]


def test_a_board_is_of_its_domain(stack, make_domain, browser):
    domain = make_domain(f"board-{uuid4().hex[:8]}")
    repository = domain.post("repositories/conda/conda/", name="tools", autopublish=True)
    domain.upload(make_package("tool"), repository=repository["pulp_href"])
    team = domain.lifecycle(repository["pulp_href"], name="tools")
    key = team.href.rstrip("/").rpartition("/")[2]
    path = f"{domain.api}conda/board/"
    assert "tools" in browser.get(f"{stack.api_url}{path}", timeout=60).text
    assert browser.get(f"{stack.api_url}/pulp/default/api/v3/conda/board/{key}/").status_code == 404
    board = browser.get(f"{stack.api_url}{path}{key}/", timeout=60)
    promote = f"{path}{key}/stages/testing/promote/"
    assert f'href="{promote}"' in board.text
    page = browser.get(f"{stack.api_url}{promote}", timeout=60)
    seen = re.search(r'name="seen" value="([^"]+)"', page.text)[1]
    form = {"csrfmiddlewaretoken": _token(page), "seen": seen, "reason": "in its domain"}
    answer = browser.post(f"{stack.api_url}{promote}", form, timeout=60, allow_redirects=False)
    assert answer.status_code == 302
    task = answer.headers["Location"]
    assert task.startswith(f"{path}{key}/tasks/")
    domain.wait(f"{domain.api}tasks/{task.rstrip('/').rpartition('/')[2]}/")
    assert "testing" in browser.get(f"{stack.api_url}{task}", timeout=60).text
    assert team.history("testing")[0]["reason"] == "in its domain"
