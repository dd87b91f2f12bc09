"""Which names and pages the service answers."""

import pytest

from lesionflow.errors import ConfigError
from lesionflow.serving.access.addresses import arrived_on, refuse_foreign, require_safe_start
from lesionflow.serving.problems import RequestRefusedError
from lesionflow.serving.settings import ServiceSettings


def scope(*hosts, server=("127.0.0.1", 3000), **others):
    sent = [(b"host", host.encode()) for host in hosts]
    headers = sent + [(name.encode(), value.encode()) for name, value in others.items()]
    return {"type": "http", "headers": headers, "server": server}


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:3000", "LOCALHOST.", "127.0.0.1:3000", "[::1]:3000", "127.8.9.10", "::1"]
)
def test_loopback_is_ours_by_any_of_its_names(host):
    if host == "::1":
        with pytest.raises(RequestRefusedError):
            refuse_foreign(scope(host), ())
    else:
        refuse_foreign(scope(host), ())


def test_the_address_that_a_request_came_to_is_ours():
    refuse_foreign(scope("10.0.0.5:3000", server=("10.0.0.5", 3000)), ())
    refuse_foreign(scope("[fd00::5]", server=("fd00::5", 3000)), ())
    with pytest.raises(RequestRefusedError):
        refuse_foreign(scope("10.0.0.6:3000", server=("10.0.0.5", 3000)), ())


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:3000", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.5", "0.0.0.0"],
)
def test_a_foreign_name_is_misdirected(host):
    with pytest.raises(RequestRefusedError) as caught:
        refuse_foreign(scope(host), ("ours.example", "*.below.example"))
    assert (caught.value.http_status, caught.value.code) == (421, "foreign_host")


@pytest.mark.parametrize(
    "hosts",
    [(), ("",), ("localhost", "localhost"), ("evil.example", "localhost"), ("a b",), ("localhost:3000:4",), ("localhost/x",), ("u@localhost",), ("localhost\x1b[2J",)],
)  # fmt: skip
def test_what_is_no_host_is_refused(hosts):
    with pytest.raises(RequestRefusedError) as caught:
        refuse_foreign(scope(*hosts), ("*",))
    assert (caught.value.http_status, caught.value.code) == (400, "invalid_host")


def test_names_may_be_allowed():
    allowed = ("ours.example", "*.below.example")
    for host in ("ours.example", "Ours.Example:8443", "a.below.example", "a.b.below.example"):
        refuse_foreign(scope(host), allowed)
    for host in ("below.example", "notours.example", "xbelow.example", "ours.example.org"):
        with pytest.raises(RequestRefusedError):
            refuse_foreign(scope(host), allowed)
    refuse_foreign(scope("whatever.example"), ("*",))


def test_a_page_of_elsewhere_is_refused_and_our_own_is_not():
    refuse_foreign(scope("localhost:3000", origin="http://localhost:3000"), ())
    refuse_foreign(scope("ours.example", origin="https://ours.example"), ("ours.example",))
    refuse_foreign(scope("inner.example", origin="https://ours.example"), ("inner.example", "ours.example"))
    for origin in ("http://localhost:8080", "https://evil.example", "null", "file://localhost:3000", "http://[", ""):
        for allowed in ((), ("*",), ("ours.example",)):
            with pytest.raises(RequestRefusedError) as caught:
                refuse_foreign(scope("localhost:3000", origin=origin), allowed)
            assert (caught.value.http_status, caught.value.code) == (403, "foreign_origin")


def test_a_socket_file_has_no_address():
    assert arrived_on(scope("a", server=("/run/socket", None))) is None
    assert arrived_on(scope("a", server=None)) is None
    assert arrived_on(scope("a")) == "127.0.0.1"


def settings(**given):
    return ServiceSettings(model="m", **given)


def test_without_keys_it_listens_here_alone(tmp_path):
    require_safe_start(settings(), "127.0.0.1")
    require_safe_start(settings(access="gateway"), "0.0.0.0")
    require_safe_start(settings(access="keys", state_dir=tmp_path), "0.0.0.0")
    for host in ("0.0.0.0", "::", "10.0.0.5", "example.org"):
        with pytest.raises(ConfigError, match="LESIONFLOW_ACCESS=keys"):
            require_safe_start(settings(), host)
    with pytest.raises(ConfigError, match="LESIONFLOW_STATE_DIR"):
        require_safe_start(settings(access="keys"), "127.0.0.1")
