"""Streaming multipart: what arrives is what was sent, and limits hold."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.datastructures import Headers

from lesionflow.serving.problems import RequestRefusedError
from lesionflow.serving.uploads.multipart import receive_parts

# httpx encodes the form: another implementation of multipart than the one under test.
BINARY = bytes(range(256)) * 4099 + b"\r\n--not-the-boundary\r\n"


def encode(files):
    request = httpx.Request("POST", "http://service/", files=files)
    return Headers({k: v for k, v in request.headers.items() if k != "content-length"}), request.read()


async def in_chunks(body: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


def receive(headers, body, folder, *, max_mb=10, max_parts=5, size=65_521):
    return asyncio.run(receive_parts(headers, in_chunks(body, size), folder, max_mb=max_mb, max_parts=max_parts))


@pytest.mark.parametrize("size", [1021, 65_521, 10_000_000])
def test_every_byte_arrives_whatever_the_chunks(tmp_path, size):
    headers, body = encode([("CT", ("../../etc/passwd", BINARY)), ("PET", ("b", b"")), ("CT", ("c", b"\r\n"))])
    parts = receive(headers, body, tmp_path, size=size)
    assert [(part.name, part.path.read_bytes()) for part in parts] == [("CT", BINARY), ("PET", b""), ("CT", b"\r\n")]
    assert all(part.path.parent == tmp_path for part in parts)


def test_a_body_over_the_limit_is_refused_while_it_arrives(tmp_path):
    headers, body = encode({"study": ("s", bytes(2_000_001))})
    with pytest.raises(RequestRefusedError) as error:
        receive(headers, body, tmp_path, max_mb=2)
    assert (error.value.http_status, error.value.code) == (413, "upload_too_large")


def test_a_declared_length_over_the_limit_is_refused_before_the_first_byte(tmp_path):
    headers, _ = encode({"study": ("s", b"x")})
    headers = Headers({**headers, "content-length": "2000001"})

    async def never() -> AsyncIterator[bytes]:
        pytest.fail("the body was read")
        yield b""

    with pytest.raises(RequestRefusedError) as error:
        asyncio.run(receive_parts(headers, never(), tmp_path, max_mb=2, max_parts=1))
    assert error.value.http_status == 413


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda headers, body: (headers, body[:-30]), "broken_multipart"),
        (lambda headers, body: (headers, b"garbage" * 100), "broken_multipart"),
        (lambda headers, body: (headers, b""), "broken_multipart"),
        (lambda headers, body: (Headers({"content-type": "application/json"}), body), "not_multipart"),
        (lambda headers, body: (Headers({"content-type": "multipart/form-data"}), body), "not_multipart"),
        (lambda headers, body: (Headers({}), body), "not_multipart"),
        (lambda headers, body: (headers, body.replace(b'name="study"', b'name="../x"')), "invalid_part_name"),
        (lambda headers, body: (headers, body.replace(b'name="study"', b"")), "invalid_part_name"),
    ],
)
def test_broken_requests_have_named_codes(tmp_path, change, code):
    headers, body = change(*encode({"study": ("s.zip", BINARY)}))
    with pytest.raises(RequestRefusedError) as error:
        receive(headers, body, tmp_path)
    assert error.value.code == code


def test_too_many_parts_are_refused(tmp_path):
    headers, body = encode([("study", (str(i), b"x")) for i in range(4)])
    with pytest.raises(RequestRefusedError) as error:
        receive(headers, body, tmp_path, max_parts=3)
    assert error.value.code == "too_many_parts"
