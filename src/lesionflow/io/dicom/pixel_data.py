"""From encoded to plain pixels, without believing what a compressed frame claims of itself."""

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.encaps import generate_frames

#: Start of frame of JPEG (ISO 10918-1, table B.1; C4, C8 and CC are others) and of JPEG-LS (ISO 14495-1).
START_OF_FRAME = (*(m for m in range(0xC0, 0xD0) if m not in {0xC4, 0xC8, 0xCC}), 0xF7)
START_OF_IMAGE, J2K_START = b"\xff\xd8", b"\xff\x4f\xff\x51"
#: A JPEG 2000 codestream may lie in a file of boxes, which are no longer than this.
J2K_WRAPPING_BYTES = 1024
#: End of image of JPEG and JPEG-LS, end of codestream of JPEG 2000 (ISO 15444-1 A.4.4). Frames have an even length: one byte of
#: 0 or FF may follow. None of these has a checksum; decoders give what is left of a cut frame for a whole one.
END_OF_IMAGE, END_BYTES = b"\xff\xd9", 4


def decode(data: Any) -> NDArray[Any]:
    """Decode the pixels of a data set.

    Args:
        data: The data set.

    Returns:
        The array as pydicom gives it.

    Raises:
        ValueError: When a compressed frame claims another size than the data set (decoders take hours for 65,535 squared), or is
            cut off.
        RuntimeError: When a decoder written in Rust panics, which Python otherwise holds for more than an error; and all of
            `reading.READ_FAULTS`.
    """
    _require_sizes(data)
    try:
        return np.asarray(data.pixel_array)
    except Exception:
        raise
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise RuntimeError(str(error)) from error


def frame_size(frame: bytes) -> tuple[int, int] | None:
    """Return (rows, columns) that a JPEG, JPEG-LS or JPEG 2000 frame claims; None for other codings.

    References:
        ISO 10918-1 B.2.2; ISO 14495-1 C.2.2; ISO 15444-1 A.5.1.
    """
    at = frame.find(J2K_START, 0, J2K_WRAPPING_BYTES)
    if at >= 0 and not frame.startswith(START_OF_IMAGE):
        width, height, left, top = struct.unpack_from(">IIII", frame, at + 8)
        return height - top, width - left
    at = 2
    while frame.startswith(START_OF_IMAGE) and at + 9 <= len(frame) and frame[at] == 0xFF:
        if frame[at + 1] == 0xFF:  # fill bytes may stand before a marker
            at += 1
            continue
        if frame[at + 1] in START_OF_FRAME:
            rows, columns = struct.unpack_from(">HH", frame, at + 5)
            return rows, columns
        at += 2 + struct.unpack_from(">H", frame, at + 2)[0]
    return None


def _require_sizes(data: Any) -> None:
    meta = getattr(data, "file_meta", None)
    syntax = meta.get("TransferSyntaxUID") if meta is not None else None
    if syntax is None or not syntax.is_encapsulated or "PixelData" not in data:
        return
    expected = (int(data.Rows), int(data.Columns))
    for frame in generate_frames(data.PixelData, number_of_frames=int(data.get("NumberOfFrames") or 1)):
        found = frame_size(frame)
        if found is not None and found != expected:
            message = (
                f"a compressed frame of {found[0]} x {found[1]} pixels where {expected[0]} x {expected[1]} are declared"
            )
            raise ValueError(message)
        if frame.startswith((START_OF_IMAGE, J2K_START)) and END_OF_IMAGE not in frame[-END_BYTES:]:
            raise ValueError("a compressed frame that ends before its end marker")
