"""Streaming multipart: what arrives is what was sent, and limits hold."""

import asyncio
import resource
import types
from collections.abc import AsyncIterator
from concurrent.futures import ProcessPoolExecutor

import httpx
import pytest
from starlette.datastructures import Headers

from lesionflow.errors import MachineError
from lesionflow.serving.problems import RequestRefusedError
from lesionflow.serving.uploads import multipart
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
    return asyncio.run(
        receive_parts(headers, in_chunks(body, size), folder, max_mb=max_mb, max_parts=max_parts, least_kb_s=0)
    )


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
        asyncio.run(receive_parts(headers, never(), tmp_path, max_mb=2, max_parts=1, least_kb_s=0))
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


def refused(headers, body, folder):
    with pytest.raises(RequestRefusedError) as caught:
        receive(Headers(headers), body, folder)
    return caught.value.http_status, caught.value.code


@pytest.mark.parametrize(
    ("headers", "body", "code"),
    [
        # RFC 2046 allows 70 characters.
        ({"content-type": f"multipart/form-data; boundary={'b' * 5000}"}, b"", "broken_multipart"),
        ({"content-type": "multipart/form-data; boundary=b", "content-length": "many"}, b"", "broken_multipart"),
        ({"content-type": "multipart/form-data; boundary=b", "content-length": "-5"}, b"", "broken_multipart"),
        (
            {"content-type": "multipart/form-data; boundary=b"},
            b'--b\r\nContent-Disposition: form-data; name="CT"; filename="' + b"x" * 9000 + b'"\r\n\r\n',
            "broken_multipart",
        ),
        (
            {"content-type": "multipart/form-data; boundary=b"},
            b"--b\r\nContent-Disposition: form-data; name*=nowhere''CT\r\n\r\n1\r\n--b--\r\n",
            "invalid_part_name",
        ),
    ],
)
def test_a_head_that_no_client_sends_is_refused_by_name(tmp_path, headers, body, code):
    assert refused(headers, body, tmp_path) == (400, code)


def test_a_length_of_thousands_of_digits_is_too_large(tmp_path):
    headers = {"content-type": "multipart/form-data; boundary=b", "content-length": "9" * 10_000}
    assert refused(headers, b"", tmp_path) == (413, "upload_too_large")


def test_a_full_disk_is_no_fault_of_the_request(tmp_path):
    headers, body = encode({"study": ("s", bytes(2_000_001))})
    with ProcessPoolExecutor(1) as pool, pytest.raises(MachineError) as caught:
        pool.submit(receive_on_a_full_disk, list(headers.items()), body, tmp_path).result()
    assert (caught.value.code, caught.value.http_status) == ("disk_full", 507)


def receive_on_a_full_disk(headers, body, folder):
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
    receive(Headers(dict(headers)), body, folder)


def test_what_the_disk_has_no_room_for_is_refused_before_it_is_read(tmp_path, monkeypatch):
    async def never():
        raise AssertionError("read")
        yield b""

    monkeypatch.setattr(multipart.shutil, "disk_usage", lambda _: types.SimpleNamespace(free=999))
    headers = Headers({"content-type": "multipart/form-data; boundary=b", "content-length": "1000"})
    with pytest.raises(MachineError) as caught:
        asyncio.run(receive_parts(headers, never(), tmp_path, max_mb=1, max_parts=1, least_kb_s=0))
    assert (caught.value.code, caught.value.http_status) == ("disk_full", 507)
