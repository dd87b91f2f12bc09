"""A PACS over HTTP (PS3.18): studies fetched by QIDO-RS and WADO-RS, results stored by STOW-RS."""

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import httpx

from lesionflow.errors import ServiceError
from lesionflow.pacs.network_config import read_secret

TIMEOUT_S = 120.0
#: Most bytes of one object, and of one series.
MAX_OBJECT_BYTES, MAX_SERIES_BYTES = 2 << 30, 32 << 30
LONGEST_HEAD = 8192
DICOM = "application/dicom"


class DicomWeb:
    """One server.

    Args:
        url: Of its DICOMweb root, such as `http://pacs:8042/dicom-web`.
        password_file: `USER:PASSWORD`, or a bearer token; None where it asks for none.
    """

    def __init__(self, url: str, password_file: Path | None = None) -> None:
        self._url, self._password_file = url.rstrip("/"), password_file

    def find_series(self, study: str) -> list[str]:
        """Return the UIDs of a study's series (QIDO-RS).

        Raises:
            ServiceError: When the server does not answer so.
        """
        with self._client() as client:
            answer = client.get(f"{self._url}/studies/{study}/series", headers={"Accept": "application/dicom+json"})
            _require(answer.is_success, f"{answer.status_code}", "the series of the study")
            return [str(item["0020000E"]["Value"][0]) for item in answer.json()] if answer.content else []

    def fetch_series(self, study: str, series: str, folder: Path) -> list[Path]:
        """Fetch all objects of a series into files of a folder (WADO-RS), as they are stored.

        Raises:
            ServiceError: When the server does not answer so, or what comes is too large.
        """
        accept = f'multipart/related; type="{DICOM}"; transfer-syntax=*'
        with (
            self._client() as client,
            client.stream("GET", f"{self._url}/studies/{study}/series/{series}", headers={"Accept": accept}) as answer,
        ):
            _require(answer.is_success, f"{answer.status_code}", "a series")
            found = re.search(r'boundary="?([^";]+)"?', answer.headers.get("content-type", ""))
            _require(found is not None, "an answer of one part", "a series in parts")
            boundary = found[1].encode() if found else b""
            return list(_split(answer.iter_bytes(1 << 16), boundary, folder))

    def store(self, paths: list[Path]) -> None:
        """Store objects (STOW-RS).

        Raises:
            ServiceError: When not all are stored.
        """
        boundary = uuid.uuid4().hex

        def body() -> Iterator[bytes]:
            for path in paths:
                yield f"--{boundary}\r\nContent-Type: {DICOM}\r\n\r\n".encode()
                yield path.read_bytes()
                yield b"\r\n"
            yield f"--{boundary}--\r\n".encode()

        headers = {
            "Content-Type": f'multipart/related; type="{DICOM}"; boundary={boundary}',
            "Accept": "application/dicom+json",
        }
        with self._client() as client:
            answer = client.post(f"{self._url}/studies", content=body(), headers=headers)
        # 202: some were not stored (PS3.18 10.5.3).
        _require(answer.status_code == httpx.codes.OK, f"{answer.status_code}", "all objects to be stored")
        _require(not _failed(answer), "a list of failed objects", "all objects to be stored")

    @contextmanager
    def _client(self) -> Iterator[httpx.Client]:
        secret = read_secret(self._password_file)
        told = "" if secret is None else secret.get_secret_value()
        user, is_pair, password = told.partition(":")
        auth = httpx.BasicAuth(user, password) if is_pair else None
        headers = {"Authorization": f"Bearer {told}"} if told and not is_pair else {}
        try:
            with httpx.Client(auth=auth, headers=headers, timeout=TIMEOUT_S) as client:
                yield client
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise ServiceError(
                f"Expected the DICOMweb server at {self._url} to answer, found {type(error).__name__}. Is it running?"
            ) from error


def _failed(answer: httpx.Response) -> Any:
    return answer.json().get("00081198", {}).get("Value") if answer.content else None


def _require(holds: bool, found: str, expected: str) -> None:  # noqa: FBT001 - a condition
    if not holds:
        raise ServiceError(f"Expected {expected} of the DICOMweb server, found {found}.")


def _split(blocks: Iterator[bytes], boundary: bytes, folder: Path) -> Iterator[Path]:
    """Write the parts of a multipart body to files while it comes (RFC 2046); of a part nothing is held but what may be a boundary."""
    line, buffer, total, n = b"\r\n--" + boundary, b"\r\n", 0, 0
    target: BinaryIO | None = None
    path = folder
    try:
        for block in blocks:
            buffer, total = buffer + block, total + len(block)
            _require(total <= MAX_SERIES_BYTES, "more", f"at most {MAX_SERIES_BYTES} bytes of a series")
            while True:
                if target is None:
                    start = buffer.find(line)
                    head = buffer.find(b"\r\n\r\n", start + len(line)) if start >= 0 else -1
                    if head < 0:
                        _require(len(buffer) < LONGEST_HEAD or buffer.find(line + b"--") >= 0, "no part", "parts")
                        break
                    buffer, n = buffer[head + 4 :], n + 1
                    path = folder / f"{n:06d}.dcm"
                    target = path.open("wb")
                end = buffer.find(line)
                keep = len(buffer) - len(line) if end < 0 else end
                target.write(buffer[: max(keep, 0)])
                _require(target.tell() <= MAX_OBJECT_BYTES, "more", f"at most {MAX_OBJECT_BYTES} bytes of an object")
                buffer = buffer[max(keep, 0) :]
                if end < 0:
                    break
                target.close()
                target = None
                yield path
        _require(target is None, "an end amid a part", "a whole answer")
    finally:
        if target is not None:
            target.close()
