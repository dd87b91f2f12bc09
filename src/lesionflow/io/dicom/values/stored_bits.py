"""Whether the bits that are decoded are all that was stored, and which pixels stand for no value.

References:
    DICOM PS3.5 8.1.1 (bits allocated, stored, high bit), PS3.3 C.7.5.1.1.2 (Pixel Padding Value), C.9.2 (Overlay Plane).
"""

from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from lesionflow.errors import DicomError
from lesionflow.io.notes import note

ALLOCATED = 16
#: Twelve bits end here; what is marked as padding and brighter is no tissue and no metal.
MAX_12_BIT_HU = 3071.0
AIR_HU = -1024.0
OVERLAY_GROUPS = range(0x6000, 0x6100, 2)


def require_whole_bits(data: Any, *, name: str) -> None:
    """Refuse numbers that need more bits than the header lets a reader take.

    Args:
        data: A slice, with its pixels.
        name: What to call the study in messages.

    Raises:
        DicomError: `contradicting_bits`.
    """
    bits = int(data.get("BitsStored") or ALLOCATED)
    high = data.get("HighBit")
    if high is not None and int(high) != bits - 1:
        _refuse(f"the highest of {bits} bits at {int(high)}", name)
    syntax = getattr(getattr(data, "file_meta", None), "TransferSyntaxUID", None)
    packed = syntax is not None and (syntax.is_encapsulated or not syntax.is_little_endian)
    if packed or int(data.get("BitsAllocated") or 0) != ALLOCATED or bits >= ALLOCATED or not data.get("PixelData"):
        return
    if any((group, 0x0102) in data for group in OVERLAY_GROUPS):  # the bits above hold an overlay
        return
    raw = np.frombuffer(data.PixelData[: len(data.PixelData) // 2 * 2], dtype="<u2")
    if int(raw.max(initial=0)) >> bits == 0:
        return
    above, negative = raw >> bits, (raw >> (bits - 1)) & 1
    full = (1 << (ALLOCATED - bits)) - 1
    beyond = above != np.where(negative == 1, full, 0) if int(data.PixelRepresentation) else above != 0
    if beyond.any():
        _refuse(f"numbers that need more than the {bits} that are said to be stored", name)


def with_air_for_padding(
    values: NDArray[np.float32], stored: NDArray[Any], data: Any, *, name: str
) -> NDArray[np.float32]:
    """Put air where a CT has padding brighter than any tissue.

    Args:
        values: HU of one slice.
        stored: As decoded.
        data: Its data set.
        name: What to call the study in what is said.

    Returns:
        The values; padding below is left as it is, as it looks like the air that it stands for.
    """
    if str(data.Modality) != "CT" or data.get("PixelPaddingValue") is None:
        return values
    told = [data.get(keyword) for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit")]
    ends = [_as_stored(value, stored.dtype) for value in told if value is not None]
    padding = (stored >= min(ends)) & (stored <= max(ends)) & (values > MAX_12_BIT_HU)
    if not padding.any():
        return values
    note(
        "padding_made_air",
        f"Expected padding as dark as air in the CT of {name}, found it bright: it was set to {AIR_HU:g} HU.",
    )
    return np.where(padding, np.float32(AIR_HU), values)


def _as_stored(value: Any, dtype: np.dtype[Any]) -> int:
    """Return a padding value in the pixels' own signedness: writers take the other one's now and then."""
    number, bits = int.from_bytes(value[:2], "little") if isinstance(value, bytes) else int(value), 8 * dtype.itemsize
    number &= (1 << bits) - 1
    return number - (1 << bits) if dtype.kind == "i" and number >> (bits - 1) else number


def _refuse(found: str, name: str) -> NoReturn:
    raise DicomError(
        f"Expected pixels of {name} in the bits that their header says, found {found}: what is read would be other numbers. "
        "Export the series again.",
        reason="contradicting_bits",
    )
