"""Of one DICOM object what decides where it belongs: its UIDs, and what its series is."""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pydicom

from lesionflow.errors import DicomError
from lesionflow.io.dicom.reading import READ_FAULTS, quiet
from lesionflow.machine.error_words import plain_words
from lesionflow.machine.faults import blame_machine

#: A UID of DICOM (PS3.5 9.1): nothing that means anything in a path.
UID_PATTERN = re.compile(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))+")
LONGEST_UID = 64
WORDS = (
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "Modality",
    "SeriesDescription",
    "ImageOrientationPatient",
    "NumberOfFrames",
    "SharedFunctionalGroupsSequence",
)
PLANES = ("sagittal", "coronal", "axial")


class InstanceHeader(NamedTuple):
    """What one object says of itself.

    Args:
        sop_class: Its class's UID.
        sop_instance: Its own UID.
        study: Its study's UID.
        series: Its series' UID.
        modality: `CT`, `PT`, `MR`, ...
        description: Of its series.
        plane: `axial`, `coronal` or `sagittal`: which its slices are nearest to; empty where it does not say.
        n_frames: How many frames it has.
    """

    sop_class: str
    sop_instance: str
    study: str
    series: str
    modality: str
    description: str
    plane: str
    n_frames: int


def read_instance_header(path: Path) -> InstanceHeader:
    """Read an object's header.

    Args:
        path: A file in the form of PS3.10.

    Raises:
        DicomError: `unreadable_file`, or `invalid_uid` when a UID of it is none.
    """
    try:
        with quiet():
            data = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(WORDS), defer_size=1 << 16)
            uids = [str(data.get(word) or "").strip() for word in WORDS[:4]]
            header = InstanceHeader(
                sop_class=uids[0],
                sop_instance=uids[1],
                study=uids[2],
                series=uids[3],
                modality=str(data.get("Modality") or "").strip(),
                description=str(data.get("SeriesDescription") or "").strip(),
                plane=_plane(data),
                n_frames=max(1, int(data.get("NumberOfFrames") or 1)),
            )
    except READ_FAULTS as error:
        blame_machine(error)
        message = f"Expected a readable DICOM object, found {plain_words(error)}."
        raise DicomError(message, reason="unreadable_file") from error
    for word, uid in zip(WORDS, uids, strict=False):
        if len(uid) > LONGEST_UID or not UID_PATTERN.fullmatch(uid):
            raise DicomError(f"Expected a UID of PS3.5 9.1 as {word}, found another.", reason="invalid_uid")
    return header


def _plane(data: pydicom.Dataset) -> str:
    cosines = data.get("ImageOrientationPatient")
    for groups in data.get("SharedFunctionalGroupsSequence") or ():
        for plane in groups.get("PlaneOrientationSequence") or ():
            cosines = plane.get("ImageOrientationPatient")
    if cosines is None or len(cosines) != 6:
        return ""
    along_row, along_column = np.reshape([float(value) for value in cosines], (2, 3))
    normal = np.abs(np.cross(along_row, along_column))
    return PLANES[int(normal.argmax())] if np.isfinite(normal).all() and normal.any() else ""
