"""Connections without a request are closed; ones with a long answer or a long body are not."""

import asyncio
import socket

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from lesionflow.serving.access import slow_headers
from support.live_service import live


@pytest.fixture
def address(monkeypatch):
    monkeypatch.setattr(H11Protocol, "connection_made", H11Protocol.connection_made)
    monkeypatch.setattr(slow_headers, "LOOK_S", 0.2)
    slow_headers.close_idle_connections()
    first = H11Protocol.connection_made
    slow_headers.close_idle_connections()
    assert H11Protocol.connection_made is first

    async def slow(request):
        n = len(await request.body())
        await asyncio.sleep(1.5)
        return PlainTextResponse(f"{n}")

    with live(Starlette(routes=[Route("/", slow, methods=["GET", "POST"])])) as at:
        yield at


def connect(address):
    host, port = address.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=20)


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: a\r\nX-A: b"])
def test_headers_that_never_end_are_not_waited_for(address, sent):
    with connect(address) as connection:
        connection.sendall(sent)
        assert connection.recv(1024) == b""


def test_an_answer_that_takes_long_is_given(address):
    assert httpx.get(address, timeout=20).text == "0"


def test_a_body_that_takes_long_is_not_this_ones_to_judge(address):
    with connect(address) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: close\r\n\r\n")
        for byte in (b"a", b"b", b"c"):
            connection.settimeout(0.5)
            with pytest.raises(TimeoutError):
                connection.recv(1)
            connection.sendall(byte)
        connection.settimeout(20)
        assert connection.recv(1024).startswith(b"HTTP/1.1 200")
