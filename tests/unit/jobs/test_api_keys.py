"""A key opens what it was made for, until it is revoked or over; the database can't tell it."""

import hashlib
import sqlite3

import pytest

from lesionflow.errors import ConfigError
from lesionflow.jobs import api_keys
from lesionflow.jobs.api_keys import ApiKeys, Scope
from lesionflow.jobs.job_database import open_database


@pytest.fixture
def keys(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path / 'jobs.db'}")
    yield ApiKeys(engine)
    engine.dispose()


def test_a_key_is_found_by_itself_and_by_nothing_near(keys):
    key, token = keys.add("Ward 7", {Scope.READ})
    assert keys.find(token) == key
    other, _ = keys.add("Ward 8", {Scope.READ})
    last = "A" if token[-1] != "A" else "B"
    for near in (token[:-1] + last, token[:-1], token + "A", token.replace(key.id, other.id), "", f" {token}"):
        assert keys.find(near) is None


def test_the_database_holds_a_digest_and_not_the_key(keys, tmp_path):
    _, token = keys.add("Ward 7", {Scope.READ})
    secret = token.split("_", 2)[2]
    with sqlite3.connect(tmp_path / "jobs.db") as connection:
        ((kept,),) = connection.execute("SELECT secret_sha256 FROM api_keys")
    assert kept == hashlib.sha256(secret.encode()).hexdigest()
    assert all(secret.encode() not in path.read_bytes() for path in tmp_path.iterdir())


@pytest.mark.parametrize("by", ["id", "name"])
def test_a_revoked_key_opens_nothing_at_once_and_stays_in_the_list(keys, by):
    key, token = keys.add("Ward 7", {Scope.READ})
    revoked = keys.revoke(getattr(key, by))
    assert keys.find(token) is None
    assert [(one.name, one.revoked_ms is None) for one in keys.all().values()] == [("Ward 7", False)]
    assert revoked.revoked_ms >= key.created_ms
    with pytest.raises(ConfigError, match="not revoked"):
        keys.revoke(key.id)


def test_a_key_ends_when_its_days_are_over(keys, monkeypatch):
    key, token = keys.add("Ward 7", {Scope.READ}, days=2)
    assert key.expires_ms - key.created_ms == 2 * 24 * 3600 * 1000
    monkeypatch.setattr(api_keys.time, "time_ns", lambda: (key.expires_ms - 1) * 1_000_000)
    assert keys.find(token) == key
    monkeypatch.setattr(api_keys.time, "time_ns", lambda: key.expires_ms * 1_000_000)
    assert keys.find(token) is None


def test_what_a_key_allows(keys):
    reader, _ = keys.add("reader", {Scope.READ})
    admin, _ = keys.add("admin", {Scope.ADMIN})
    assert [scope for scope in Scope if reader.allows(scope)] == [Scope.READ]
    assert all(admin.allows(scope) for scope in Scope)


@pytest.mark.parametrize(
    ("name", "scopes", "days"),
    [("", {Scope.READ}, None), ("a\nb", {Scope.READ}, None), ("x" * 81, {Scope.READ}, None), ("a", set(), None), ("a", {Scope.READ}, 0)],
)  # fmt: skip
def test_what_is_no_key_is_refused(keys, name, scopes, days):
    with pytest.raises(ConfigError):
        keys.add(name, scopes, days=days)
    assert keys.all() == {}


def test_a_name_is_given_once_even_after_its_key_was_revoked(keys):
    keys.add("Ward 7", {Scope.READ})
    keys.revoke("Ward 7")
    with pytest.raises(ConfigError, match="no key has or had"):
        keys.add("Ward 7", {Scope.SUBMIT})
