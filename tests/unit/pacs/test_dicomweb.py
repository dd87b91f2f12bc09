"""Multipart bodies cut anywhere, by Python's own reader of them; a real server is asked in the integration test."""

import pytest

from lesionflow.errors import ServiceError
from lesionflow.pacs.dicomweb import DicomWeb, _split
from support.pacs_peers import free_port

PARTS = [b"\x00\x01\r\n--not" * 50, b"", b"--b", bytes(range(256)) * 40, b"\r\n--"]


def body(parts, boundary=b"bnd"):
    told = b"".join(
        b"--" + boundary + b"\r\nContent-Type: application/dicom\r\n\r\n" + part + b"\r\n" for part in parts
    )
    return told + b"--" + boundary + b"--\r\n"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 4096, 1 << 20])
def test_parts_are_what_was_sent_wherever_the_answer_is_cut(tmp_path, size):
    whole = body(PARTS)
    blocks = (whole[start : start + size] for start in range(0, len(whole), size))
    assert [path.read_bytes() for path in _split(blocks, b"bnd", tmp_path)] == PARTS


@pytest.mark.parametrize("harm", ["cut", "no boundary"])
def test_an_answer_without_its_end_is_refused(tmp_path, harm):
    whole = body([b"x" * 20_000])
    whole = whole[:10_000] if harm == "cut" else b"y" * 20_000
    with pytest.raises(ServiceError):
        list(_split(iter([whole]), b"bnd", tmp_path))


def test_a_server_that_is_not_there_is_named():
    with pytest.raises(ServiceError, match="Is it running"):
        DicomWeb(f"http://127.0.0.1:{free_port()}").find_series("1.2")
