"""Passwords: not hashed again and again, and guessing is slowed down."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import check_password, make_password
from django.test import RequestFactory, override_settings
from django.utils import timezone

from pulp_conda.app import passwords
from pulp_conda.app.addresses import client_address
from pulp_conda.app.models import FailedLogin

pytestmark = pytest.mark.django_db

HASHER = "pulp_conda.app.passwords.RememberingPasswordHasher"


@pytest.fixture(autouse=True)
def hashes(monkeypatch):
    """Count how often a password is hashed, with hashes that take less time than those of Django.

    What another test remembered is not there.
    """
    made = []

    def encode(self, password, salt, iterations=None):
        made.append(password)
        return super(passwords.RememberingPasswordHasher, self).encode(password, salt, 10)

    monkeypatch.setattr(passwords.RememberingPasswordHasher, "encode", encode)
    monkeypatch.setattr(passwords.RememberingPasswordHasher, "iterations", 10)
    monkeypatch.setattr(passwords, "_right", passwords._Recent())
    with override_settings(PASSWORD_HASHERS=[HASHER], CONDA_FAILED_LOGINS=10):
        yield made


def test_a_password_that_was_right_is_not_hashed_again(hashes):
    stored = make_password("right")
    hashes.clear()
    assert [check_password("right", stored) for _ in range(3)] == [True] * 3
    assert len(hashes) == 1


def test_hashes_are_those_of_django():
    stored = make_password("right")
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.PBKDF2PasswordHasher"]):
        assert check_password("right", stored)


def test_a_wrong_password_is_hashed_each_time(hashes):
    stored = make_password("right")
    assert check_password("right", stored)
    hashes.clear()
    assert not check_password("wrong", stored) and not check_password("wrong", stored)
    assert hashes.count("wrong") >= 2


def test_another_password_makes_the_one_before_wrong():
    user = get_user_model()(username="ada")
    user.set_password("first")
    assert user.check_password("first")
    user.set_password("second")
    assert user.check_password("second") and not user.check_password("first")


def test_a_password_is_forgotten_after_a_minute(hashes, monkeypatch):
    stored = make_password("right")
    assert check_password("right", stored)
    hashes.clear()
    later = passwords.time.monotonic() + 61
    monkeypatch.setattr(passwords.time, "monotonic", lambda: later)
    assert check_password("right", stored) and len(hashes) == 1


def test_only_so_many_passwords_are_kept():
    recent = passwords._Recent()
    for number in range(1001):
        recent.add(b"%d" % number)
    assert b"0" not in recent and b"1" in recent and b"1000" in recent


def fail(times, address="192.0.2.1", username="ada"):
    for _ in range(times):
        FailedLogin.note(address, username)


def wait(address="192.0.2.1", username="ada"):
    return FailedLogin.seconds_to_wait(address, username)


def test_the_first_failures_cost_nothing():
    fail(9)
    assert wait() == 0
    fail(1)
    assert wait() == 1


def test_each_failure_doubles_the_time_up_to_five_minutes():
    fail(12)
    assert wait() == 4
    fail(50)
    assert wait() == 300


def test_after_the_time_the_next_one_is_checked():
    fail(12)
    FailedLogin.objects.update(last=timezone.now() - timedelta(seconds=4))
    assert wait() == 0


def test_who_guesses_slows_nobody_down_at_another_address_and_no_other_user():
    fail(50)
    assert wait("192.0.2.2") == 0
    assert wait(username="bob") == 0
    assert wait(username=None) == 0


def test_after_an_hour_failures_are_forgotten():
    fail(50)
    FailedLogin.objects.update(last=timezone.now() - timedelta(hours=1, seconds=1))
    fail(1)
    assert wait() == 0
    FailedLogin.objects.update(last=timezone.now() - timedelta(hours=1, seconds=1))
    fail(1, username="bob")
    assert FailedLogin.objects.count() == 1, "old rows stay"


def test_names_are_not_stored():
    fail(1, username="my-Password-in-the-wrong-field")
    assert "Password" not in str(FailedLogin.objects.values().get())


def test_nobody_waits_without_the_setting():
    fail(50)
    with override_settings(CONDA_FAILED_LOGINS=None):
        assert wait() == 0


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        pytest.param("192.0.2.1", None, "192.0.2.1", id="no proxy"),
        pytest.param("192.0.2.1", "198.51.100.7", "192.0.2.1", id="a client that lies"),
        pytest.param("127.0.0.1", "198.51.100.7", "198.51.100.7", id="a proxy on this machine"),
        pytest.param("", "198.51.100.7", "198.51.100.7", id="a Unix socket"),
        pytest.param("127.0.0.1", "6.6.6.6, 198.51.100.7", "198.51.100.7", id="a lie before it"),
        pytest.param("127.0.0.1", "198.51.100.7, 127.0.0.1", "198.51.100.7", id="two proxies"),
        pytest.param("127.0.0.1", None, "127.0.0.1", id="a client on this machine"),
        pytest.param("127.0.0.1", "nonsense", "", id="no address"),
        pytest.param("2001:db8::1:2", None, "2001:db8::/64", id="IPv6"),
        pytest.param("::ffff:192.0.2.1", None, "192.0.2.1", id="IPv4 in IPv6"),
    ],
)
def test_the_address_of_a_client_is_found_behind_proxies(peer, forwarded, address):
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    request = RequestFactory().get("/", headers=headers, REMOTE_ADDR=peer)
    assert client_address(request.META) == address
