"""Find DICOM files in any nesting and under any name, and sort them into studies and series."""

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
from pydicom.errors import InvalidDicomError

from lesionflow.errors import DicomError

PREAMBLE_BYTES = 132
MAGIC = b"DICM"
#: What pydicom is known to raise on broken files; InvalidDicomError is the rarest of them.
READ_FAULTS = (
    AttributeError,
    EOFError,
    IndexError,
    InvalidDicomError,
    KeyError,
    MemoryError,
    NotImplementedError,
    OSError,
    OverflowError,
    RecursionError,
    RuntimeError,
    TypeError,
    ValueError,
)
HEADER_TAGS = [
    "SOPClassUID",
    "SOPInstanceUID",
    "PatientID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "Modality",
    "SeriesDescription",
    "ImageType",
    "FrameOfReferenceUID",
]
DICOMDIR_CLASS = "1.2.840.10008.1.3.10"


@dataclass(frozen=True)
class Header:
    """What sorting needs of one file."""

    path: str
    patient_id: str
    study_uid: str
    series_uid: str
    modality: str
    description: str
    image_type: tuple[str, ...]


@dataclass(frozen=True)
class DicomStudy:
    """Files of one study by series; `unreadable` are broken files that lay in its folders."""

    study_uid: str
    patient_ids: tuple[str, ...]
    series: Mapping[str, tuple[Header, ...]]
    unreadable: tuple[str, ...]

    @property
    def files(self) -> tuple[str, ...]:
        """All files of the study, sorted."""
        return tuple(sorted(header.path for headers in self.series.values() for header in headers))


def is_dicom(path: Path) -> bool:
    """Tell by its content whether a file is a DICOM file (PS3.10, section 7.1)."""
    try:
        with path.open("rb") as source:
            return source.read(PREAMBLE_BYTES)[-4:] == MAGIC
    except OSError:
        return False


def find_files(folder: Path) -> list[Path]:
    """Return all regular files below a folder, sorted; links inside it are not followed and hidden files are passed over."""
    found = []
    for base, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(base) / name
            if not name.startswith(".") and not path.is_symlink() and path.is_file():
                found.append(path)
    return found


def scan(paths: Iterable[Path]) -> list[DicomStudy]:
    """Sort DICOM files into studies by their UIDs.

    Args:
        paths: Any files; those that are no DICOM are passed over.

    Returns:
        Studies in order of their UIDs. A file with DICOM's magic that can't be read belongs to every study that has files
        in the same folder: which it was part of can't be known, so none of them may be taken for whole.
    """
    headers: dict[str, list[Header]] = defaultdict(list)
    broken: dict[Path, list[str]] = defaultdict(list)
    for path in paths:
        if not is_dicom(path):
            continue
        header = _read_header(path)
        if header is None:
            broken[path.parent].append(str(path))
        elif header.study_uid:
            headers[header.study_uid].append(header)
    studies = [_study(uid, headers[uid], broken) for uid in sorted(headers)]
    claimed = {path for study in studies for path in study.unreadable}
    orphans = sorted(path for paths in broken.values() for path in paths if path not in claimed)
    if orphans:
        studies.append(DicomStudy("", ("",), {}, tuple(orphans)))
    return studies


def read_dataset(path: str, *, name: str) -> Any:
    """Read a whole DICOM file.

    Raises:
        DicomError: `unreadable_file`.
    """
    try:
        return pydicom.dcmread(path)
    except READ_FAULTS as error:
        raise DicomError(
            f"Expected a readable DICOM file in {name}, found {type(error).__name__}: {error!s:.150}. Export it again.",
            reason="unreadable_file",
        ) from error


def _read_header(path: Path) -> Header | None:
    try:
        data = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=HEADER_TAGS)
        if str(data.file_meta.get("MediaStorageSOPClassUID", "")) == DICOMDIR_CLASS:
            return Header(str(path), "", "", "", "", "", ())
        image_type = data.get("ImageType") or ()
        return Header(
            path=str(path),
            patient_id=str(data.get("PatientID") or ""),
            study_uid=str(data["StudyInstanceUID"].value),
            series_uid=str(data["SeriesInstanceUID"].value),
            modality=str(data.get("Modality") or ""),
            description=str(data.get("SeriesDescription") or ""),
            image_type=(image_type,) if isinstance(image_type, str) else tuple(str(part) for part in image_type),
        )
    except READ_FAULTS:
        return None


def _study(uid: str, headers: list[Header], broken: Mapping[Path, list[str]]) -> DicomStudy:
    series: dict[str, list[Header]] = defaultdict(list)
    for header in headers:
        series[header.series_uid].append(header)
    folders = {Path(header.path).parent for header in headers}
    unreadable = sorted(path for folder in folders for path in broken.get(folder, ()))
    return DicomStudy(
        uid,
        tuple(sorted({header.patient_id for header in headers})),
        {key: tuple(sorted(series[key], key=lambda header: header.path)) for key in sorted(series)},
        tuple(unreadable),
    )
