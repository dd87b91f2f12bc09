"""No password is shown, whatever signs it holds; and what is no password stays readable."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lesionflow.registry.secrets import has_unclear_password, without_password, without_secrets


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("https://me:secret@host/path", "https://host/path"),
        ("https://me@host:5000", "https://host:5000"),
        ("https://token@host", "https://host"),
        (
            "postgresql+psycopg2://me:p%40ss@db.example.org:5432/mlflow",
            "postgresql+psycopg2://db.example.org:5432/mlflow",
        ),
        ("http://me:p@ss@host:5000", "http://host:5000"),
        ("http://me:pa:ss@host", "http://host"),
        ("http://me:pa/ss@host:5000/x", "http://host:5000/x"),
        ("http://me:p@a/s@host/x", "http://host/x"),
        ("mysql://me:a?b#c@host/db", "mysql://host/db"),
        (
            "postgresql://host/db?user=me&password=secret&sslmode=require",
            "postgresql://host/db?user=me&password=***&sslmode=require",
        ),
        ("http://[::1]:5000/x", "http://[::1]:5000/x"),
    ],
)
def test_user_and_password_are_taken_out(uri, shown):
    assert without_password(uri) == shown


@pytest.mark.parametrize(
    "uri",
    [
        "sqlite:////a/b.db", "sqlite:////home/me@site/mlflow.db", "sqlite:////a:b/c@d/mlflow.db", "file:///home/me@site/mlruns", "/a/b@c",
        "https://host/me@site/x", "http://host:5000/a@b", "http://localhost:5000", "./mlruns",
    ],
)  # fmt: skip
def test_what_is_no_password_stays(uri):
    assert without_password(uri) == uri
    assert without_secrets(f"no such store: {uri}", uri) == f"no such store: {uri}"


@given(st.text(alphabet="aZ9@:/%?#[]&=+ ", min_size=0, max_size=12))
def test_no_part_of_any_password_is_shown(signs):
    password = f"QX{signs}XQ"
    shown = without_password(f"postgresql://me:{password}@host:5432/db")
    assert "QX" not in shown
    assert "XQ" not in shown
    assert shown.endswith("host:5432/db")


def test_a_message_is_cleared_of_every_address_and_of_the_password_alone(monkeypatch):
    uri = "postgresql://me:p%40ssword@host/db"
    text = 'failed: "postgresql://me:p%40ssword@host/db" for user me with p@ssword (http://you:other@elsewhere/x)'
    assert without_secrets(text, uri) == 'failed: "postgresql://host/db" for user me with *** (http://elsewhere/x)'
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "t0ken-of-mine")
    assert without_secrets("Bearer t0ken-of-mine refused", "http://host") == "Bearer *** refused"


def test_a_password_that_must_be_written_otherwise_is_known():
    assert has_unclear_password("http://me:p@ss@host")
    assert has_unclear_password("http://me:pa/ss@host")
    assert has_unclear_password("http://me:pa:ss@host")
    assert not has_unclear_password("http://me:p%40ss%3A@host")
    assert not has_unclear_password("http://host/a@b")
    assert not has_unclear_password("sqlite:////a:b/c@d.db")
