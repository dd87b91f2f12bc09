"""Headers that take long to read however small the file: told by a look at its bytes, before a library walks through them.

nibabel's gzip reads a member's name byte by byte (RFC 1952, 2.3.1) and a header's extensions one by one.
"""

import mmap
import re
import struct
from pathlib import Path
from typing import Any

from isal import igzip

#: File names end long before; so do comments.
MAX_NAME_BYTES = 1 << 16
#: Programs that pack in blocks close a member every 64 kB unpacked, which may be 90 bytes packed.
MAX_MEMBERS, BYTES_PER_MEMBER = 10_000, 512
MAX_EXTENSIONS = 1000
#: Magic, deflate, and the flags that RFC 1952 defines.
MEMBER = re.compile(rb"\x1f\x8b\x08([\x00-\x1f])", re.DOTALL)
NAME_FLAG, COMMENT_FLAG, EXTRA_FLAG = 0x08, 0x10, 0x04
MEMBER_HEADER_BYTES = 10
#: Python's buffered readers unpack 8 kB or 128 kB at a time.
AHEAD_BYTES = 1 << 17
#: (bytes of the header, where it holds the voxels' offset, its format): NIfTI-1 and NIfTI-2.
HEADERS = ((348, 108, "f"), (540, 168, "q"))
#: No header's extensions are looked at further: what lies behind is refused for its size.
MAX_LOOKED_BYTES = 64 << 20


def require_few_members(path: Path, n_looked_bytes: int | None = None) -> None:
    """Refuse a gzip file of far more members than a program packs, or with a name that is none.

    Args:
        path: The file.
        n_looked_bytes: How many of its first bytes are looked at; all, if not given. ISA-L walks through members in half a microsecond each and
            refuses names of a megabyte by itself, so that what it alone reads needs no look.

    Raises:
        ValueError: When it is one.
    """
    n_bytes = path.stat().st_size
    if not n_bytes:
        return
    n_members = 0
    with path.open("rb") as source, mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for match in MEMBER.finditer(content, 0, n_looked_bytes or n_bytes):
            n_members += 1
            if n_members > MAX_MEMBERS + n_bytes // BYTES_PER_MEMBER:
                message = f"more than {n_members - 1} packed parts in {n_bytes} bytes"
                raise ValueError(message)
            _require_short_texts(content, match.start(), match[1][0])


def _require_short_texts(content: mmap.mmap, start: int, flags: int) -> None:
    at = start + MEMBER_HEADER_BYTES
    if flags & EXTRA_FLAG and at + 2 <= len(content):
        at += 2 + int.from_bytes(content[at : at + 2], "little")
    for flag in (NAME_FLAG, COMMENT_FLAG):
        if flags & flag and at + MAX_NAME_BYTES < len(content):
            end = content.find(b"\0", at, at + MAX_NAME_BYTES)
            if end < 0:
                message = f"a packed name of more than {MAX_NAME_BYTES} bytes"
                raise ValueError(message)
            at = end + 1


def require_few_extensions(path: Path) -> int:
    """Refuse a NIfTI header with far more extensions than any program writes.

    Args:
        path: A `.nii` or `.nii.gz` file.

    Returns:
        How many bytes of the file hold all that a reader of the header alone unpacks.

    Raises:
        ValueError: When it has them; and what unpacking raises.
    """
    with igzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb") as source:
        start = source.read(HEADERS[-1][0] + 4)
        for n_bytes, place, form in HEADERS:
            for order in "<>":
                if len(start) >= n_bytes + 4 and struct.unpack_from(f"{order}i", start)[0] == n_bytes:
                    offset = struct.unpack_from(f"{order}{form}", start, place)[0]
                    if start[n_bytes] and n_bytes + 4 < offset < MAX_LOOKED_BYTES:
                        rest = source.read(max(int(offset) - len(start), 0))
                        _require_few(start[n_bytes + 4 :] + rest, order)
                    return _reached(source)
        return _reached(source)


def _reached(source: Any) -> int:
    """Return where a file stands once the reader of its header has unpacked one block more than it needs."""
    source.read(AHEAD_BYTES)
    return int(getattr(source, "fileobj", source).tell())


def _require_few(extensions: bytes, order: str) -> None:
    at = n_found = 0
    while at + 8 <= len(extensions):
        size = struct.unpack_from(f"{order}i", extensions, at)[0]
        n_found += 1
        if n_found > MAX_EXTENSIONS:
            message = f"more than {MAX_EXTENSIONS} header extensions"
            raise ValueError(message)
        # One that says less than its own first words is nibabel's to refuse.
        if size < 8:
            return
        at += size
