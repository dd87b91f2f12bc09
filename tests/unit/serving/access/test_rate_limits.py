"""Buckets by a clock that is moved by hand, against counts by hand."""

import pytest

from lesionflow.config import Settings
from lesionflow.jobs.api_keys import Scope
from lesionflow.serving.access import rate_limits
from lesionflow.serving.access.rate_limits import Asking, RateLimits, in_whole_seconds, whom_of
from lesionflow.serving.api import create_app
from lesionflow.serving.settings import ServiceSettings
from support.service_client import TestClient
from support.stub_engine import StubEngine


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def limits(clock):
    return RateLimits({Asking.HAND_IN: 6, Asking.READ: 0, Asking.FAILURE: 2}, clock)


def test_a_full_bucket_is_given_at_once_and_fills_by_the_minute(limits, clock):
    assert [limits.take(Asking.HAND_IN, "a") for _ in range(6)] == [0.0] * 6
    # Six a minute: one each ten seconds.
    assert limits.take(Asking.HAND_IN, "a") == pytest.approx(10)
    clock.now += 4
    assert limits.take(Asking.HAND_IN, "a") == pytest.approx(6)
    clock.now += 6
    assert limits.take(Asking.HAND_IN, "a") == 0.0
    assert limits.take(Asking.HAND_IN, "a") == pytest.approx(10)
    clock.now += 3600
    assert [limits.take(Asking.HAND_IN, "a") for _ in range(7)][5:] == [0.0, pytest.approx(10)]


def test_nobodys_bucket_is_anothers_and_each_kind_has_its_own(limits):
    for _ in range(6):
        limits.take(Asking.HAND_IN, "a")
    assert limits.take(Asking.HAND_IN, "b") == 0.0
    assert limits.take(Asking.FAILURE, "a") == 0.0
    assert [limits.take(Asking.READ, "a") for _ in range(1000)] == [0.0] * 1000


def test_strangers_take_bounded_room_and_push_no_key_out(limits):
    for _ in range(6):
        limits.take(Asking.HAND_IN, "a")
    for number in range(100_000):
        limits.take(Asking.FAILURE, f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert max(len(buckets) for buckets in limits._buckets.values()) == rate_limits.MOST_BUCKETS
    assert limits.take(Asking.HAND_IN, "a") > 0


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"), ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::9", "2001:db8:1:3::/64"), (None, "unknown"), ("testclient", "unknown"),
    ],
)  # fmt: skip
def test_an_ipv6_network_is_one(address, network):
    assert whom_of(address) == network


def test_a_link_local_address_is_one_too():
    """Its zone is no part of it that a stranger could change."""
    assert len({whom_of(f"fe80::{n}%eth0") for n in range(1, 9)}) == 1


def test_seconds_are_whole_and_enough():
    assert [in_whole_seconds(s) for s in (0.01, 1.0, 9.2)] == ["1", "1", "10"]


def test_the_service_says_when_to_come_again_and_strangers_keep_no_key_out(tmp_path):
    service = ServiceSettings(
        model="m", access="keys", state_dir=tmp_path / "state", drain_s=0.2, max_hand_ins_minute=2, max_reads_minute=5
    )
    app = create_app(service, Settings(device="cpu"))
    app.state.engine = StubEngine()
    with TestClient(app, base_url="http://127.0.0.1:3000", raise_server_exceptions=False) as client:
        made = {name: app.state.keys.add(name, {Scope.SUBMIT, Scope.READ})[1] for name in ("busy", "other")}
        busy, other = ({"Authorization": f"Bearer {token}"} for token in made.values())
        files = {"CT": ("ct.nii.gz", b"\x1f\x8bstudy")}
        answers = [client.post("/v1/studies", files=files, headers=busy) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [202, 202, 429]
        assert answers[2].json()["code"] == "too_many_requests"
        assert 1 <= int(answers[2].headers["retry-after"]) <= 30
        reads = [client.get("/v1/model", headers=busy).status_code for _ in range(6)]
        assert reads == [200] * 5 + [429]
        assert client.get("/v1/model", headers=other).status_code == 200
        wrong = [client.get("/v1/model", headers={"Authorization": f"Bearer lfk_{n}"}) for n in range(40)]
        assert [answer.status_code for answer in wrong] == [401] * 30 + [429] * 10
        # From the same address.
        assert client.get("/v1/model", headers=other).status_code == 200
        assert {client.get(path).status_code for path in ("/livez", "/openapi.json") for _ in range(20)} == {200}
