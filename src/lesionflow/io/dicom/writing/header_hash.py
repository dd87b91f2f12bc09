"""A hash over what a DICOM object says beside its voxels, outlines and figures, whatever its bytes are: names, dates, codes, approvals, UIDs."""

import hashlib
import json
from typing import Any

from pydicom import Dataset

#: Covered otherwise: voxels and outlines by the mask (Pixel Data, the frames' places, ROI Contour Sequence), figures by the report's content.
COVERED = frozenset(
    (
        "PixelData",
        "PerFrameFunctionalGroupsSequence",
        "SharedFunctionalGroupsSequence",
        "ROIContourSequence",
        "ContentSequence",
    )
)
#: What an archive may write anew without a word said otherwise (PS3.4 B.4.1.3 coercion aside): the equipment it came by, how text is encoded,
#: how many frames there are, offsets.
ARCHIVES_OWN = frozenset(
    (
        "ContributingEquipmentSequence",
        "SpecificCharacterSet",
        "NumberOfFrames",
        "TimezoneOffsetFromUTC",
        "InstanceCreatorUID",
        "OriginalAttributesSequence",
        "LossyImageCompression",
        "DataSetTrailingPadding",
        "RetrieveURL",
        "StorageMediaFileSetUID",
    )
)
LEFT_OUT = COVERED | ARCHIVES_OWN
#: Digits of a number that its binary and its written form share.
DIGITS = 6
NUMBERS = frozenset(("DS", "FL", "FD"))


def hash_header(data: Dataset) -> str:
    """Hash the standard elements of a data set but those of `LEFT_OUT`; an empty one is as good as none.

    Args:
        data: A SEG, RT structure set or SR, made just now or read.
    """
    return hashlib.sha256(json.dumps(_plain(data, LEFT_OUT)).encode()).hexdigest()


def _plain(data: Dataset, left_out: frozenset[str]) -> list[Any]:
    found = []
    for element in data:
        if element.tag.is_private or element.tag.group == 2 or element.keyword in left_out or not element.keyword:
            continue
        value: Any = element.value
        if element.VR == "SQ":
            value = [_plain(item, frozenset()) for item in value]
        else:
            parts = value if element.VM > 1 else [value]
            value = [_word(part, element.VR) for part in parts]
        if any(value):
            found.append([int(element.tag), value])
    return found


def _word(value: Any, vr: str) -> str:
    if value is None or value == "":
        return ""
    if vr in NUMBERS:
        return f"{float(value):.{DIGITS}g}"
    if isinstance(value, bytes):
        return value.rstrip(b"\0").hex()
    # A name's empty groups and components at its end say nothing (PS3.5 6.2.1).
    return str(value).rstrip("^= \0").strip()
