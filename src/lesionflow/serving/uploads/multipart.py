"""A multipart request, streamed to disk: memory stays small whatever is sent, and a limit holds while it arrives."""

import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from anyio import to_thread
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.datastructures import Headers

from lesionflow.errors import MachineError
from lesionflow.machine.faults import blame_machine
from lesionflow.serving.problems import RequestRefusedError
from lesionflow.serving.settings import BYTES_PER_MB
from lesionflow.serving.uploads.pace import paced

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

#: Bytes gathered before they are parsed and written in a worker thread.
BLOCK_BYTES = 1 << 20
#: Names and file names take some hundred.
MAX_HEADER_BYTES, MAX_DIGITS = 8192, 20
PART_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class Part(NamedTuple):
    """One part of a form: its name, and the file that holds its bytes."""

    name: str
    path: Path


async def receive_parts(
    headers: Headers, stream: AsyncIterator[bytes], folder: Path, *, max_mb: int, max_parts: int, least_kb_s: float
) -> list[Part]:
    """Write each part of a multipart request to a file of its own.

    Args:
        headers: The request's headers.
        stream: The request's body as it arrives.
        folder: An empty folder.
        max_mb: Largest body.
        max_parts: Most parts.
        least_kb_s: The slowest that it may arrive.

    Returns:
        The parts in the order sent. Names and file names that the client chose never become paths.

    Raises:
        RequestRefusedError: 415 `not_multipart`; 413 `upload_too_large`; 400 `broken_multipart`, `invalid_part_name`,
            `too_many_parts`; 408 `too_slow`.
        MachineError: `disk_full` when the disk has no room for what is announced.
    """
    limit = max_mb * BYTES_PER_MB
    declared = _declared_length(headers)
    if declared > limit:
        raise _too_large(max_mb)
    if declared > shutil.disk_usage(folder).free:
        raise MachineError(f"Expected room for {declared} bytes, found the disk full. Send it later.", code="disk_full")
    writer = _PartWriter(_boundary(headers), folder, max_parts)
    received, block = 0, bytearray()
    try:
        async for chunk in paced(stream, least_kb_s):
            received += len(chunk)
            if received > limit:
                raise _too_large(max_mb)
            block += chunk
            if len(block) >= BLOCK_BYTES:
                await to_thread.run_sync(writer.write, bytes(block))
                block.clear()
        await to_thread.run_sync(writer.write, bytes(block))
        return writer.finish()
    finally:
        writer.close()


class _PartWriter:
    """Callbacks of the streaming parser; runs in worker threads, one call at a time."""

    def __init__(self, boundary: bytes, folder: Path, max_parts: int) -> None:
        self.parts: list[Part] = []
        self._folder, self._max_parts = folder, max_parts
        self._file: IO[bytes] | None = None
        self._field, self._value, self._name = bytearray(), bytearray(), ""
        self._ended = False
        callbacks: MultipartCallbacks = {
            "on_part_begin": self._on_part_begin,
            "on_header_field": lambda data, start, end: self._add(self._field, data[start:end]),
            "on_header_value": lambda data, start, end: self._add(self._value, data[start:end]),
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers_finished,
            "on_part_data": self._on_part_data,
            "on_part_end": self.close,
            "on_end": self._on_end,
        }
        try:
            self._parser = MultipartParser(boundary, callbacks)
        except FormParserError as error:
            raise _broken(str(error)) from error

    def write(self, block: bytes) -> None:
        try:
            self._parser.write(block)
        except FormParserError as error:
            raise _broken(str(error)) from error
        except OSError as error:
            blame_machine(error, self._folder)
            raise

    def finish(self) -> list[Part]:
        try:
            self._parser.finalize()
        except FormParserError as error:
            raise _broken(str(error)) from error
        if not self._ended:
            raise _broken("the body ends before the closing boundary")
        return self.parts

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _on_part_begin(self) -> None:
        self._name = ""
        if len(self.parts) >= self._max_parts:
            message = f"Expected at most {self._max_parts} parts, found more. Send one zip instead."
            raise RequestRefusedError(message, status=400, code="too_many_parts")

    def _add(self, header: bytearray, data: bytes) -> None:
        header.extend(data)
        if len(header) > MAX_HEADER_BYTES:
            raise _broken(f"a part whose header has more than {MAX_HEADER_BYTES} bytes")

    def _on_header_end(self) -> None:
        if bytes(self._field).lower() == b"content-disposition":
            self._name = _options(bytes(self._value))[1].get(b"name", b"").decode("utf-8", "replace")
        self._field.clear()
        self._value.clear()

    def _on_headers_finished(self) -> None:
        if not PART_NAME.fullmatch(self._name):
            message = "Expected every part to have a name of letters, digits, '.', '_', '-', found another."
            raise RequestRefusedError(message, status=400, code="invalid_part_name")
        path = self._folder / f"part-{len(self.parts):06d}"
        self._file = path.open("xb")
        self.parts.append(Part(self._name, path))

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._file is not None:
            self._file.write(memoryview(data)[start:end])

    def _on_end(self) -> None:
        self._ended = True


def _boundary(headers: Headers) -> bytes:
    kind, options = _options(headers.get("content-type", ""))
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        found = kind.decode("latin-1") or "none"
        message = (
            f"Expected content type multipart/form-data, found {found:.80}. Send the study as curl -F study=@study.zip."
        )
        raise RequestRefusedError(message, status=415, code="not_multipart")
    return options[b"boundary"]


def _options(header: bytes | str) -> tuple[bytes, dict[bytes, bytes]]:
    """Split a header into its value and options; one that can't be split has none."""
    try:
        return parse_options_header(header)
    except (ValueError, LookupError, TypeError, AttributeError):
        # The e-mail parser behind it stumbles over charsets and continuations that nobody sends (RFC 2231).
        return b"", {}


def _declared_length(headers: Headers) -> int:
    text = headers.get("content-length", "") or "0"
    if not (text.isascii() and text.isdigit()):
        raise _broken("a length that is no number")
    # Python refuses to read numbers of thousands of digits.
    return int(text[:MAX_DIGITS])


def _too_large(max_mb: int) -> RequestRefusedError:
    message = f"Expected at most {max_mb} MB, found more. Send one study alone, or ask the operator for a higher limit."
    return RequestRefusedError(message, status=413, code="upload_too_large", headers={"Connection": "close"})


def _broken(why: str) -> RequestRefusedError:
    return RequestRefusedError(
        f"Expected a whole multipart body, found: {why:.200}. Send it again.", status=400, code="broken_multipart"
    )
