"""A body that trickles is given up; one that is fast enough, or only handled slowly here, is not."""

import asyncio

import pytest

from lesionflow.serving.problems import RequestRefusedError
from lesionflow.serving.uploads import pace
from lesionflow.serving.uploads.pace import paced


@pytest.fixture
def clock(monkeypatch):
    """A clock that the stream itself moves."""
    now = [0.0]
    monkeypatch.setattr(pace.time, "monotonic", lambda: now[0])
    return now


def read(clock, chunks, least_kb_s, handling_s=0.0):
    """Read chunks of (seconds until it comes, bytes); return the bytes that got through."""

    async def stream():
        for seconds, n_bytes in chunks:
            clock[0] += seconds
            yield b"x" * n_bytes

    async def gathered():
        got = 0
        async for chunk in paced(stream(), least_kb_s):
            got += len(chunk)
            clock[0] += handling_s
        return got

    return asyncio.run(gathered())


def test_what_is_fast_enough_passes(clock):
    # 100 s at just 10 kB/s.
    assert read(clock, [(1.0, 10_000)] * 100, 10.0) == 1_000_000


def test_what_is_a_little_slower_does_not(clock):
    with pytest.raises(RequestRefusedError) as caught:
        read(clock, [(1.0, 9_900)] * 100, 10.0)
    assert (caught.value.http_status, caught.value.code) == (408, "too_slow")


def test_a_slow_beginning_is_forgiven_for_a_while(clock):
    assert read(clock, [(1.0, 1)] * 30, 10.0) == 30
    with pytest.raises(RequestRefusedError):
        read(clock, [(1.0, 1)] * 32, 10.0)


def test_what_takes_time_here_is_not_the_clients(clock):
    assert read(clock, [(0.5, 10_000)] * 100, 10.0, handling_s=60.0) == 1_000_000


def test_silence_ends_it(monkeypatch):
    monkeypatch.setattr(pace, "SILENCE_S", 0.05)

    async def stream():
        yield b"x"
        await asyncio.sleep(30)
        yield b"y"

    async def gathered():
        return [chunk async for chunk in paced(stream(), 0.0)]

    with pytest.raises(RequestRefusedError) as caught:
        asyncio.run(gathered())
    assert caught.value.code == "too_slow"
