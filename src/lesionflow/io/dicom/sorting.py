"""Find DICOM files among any, under any name, and sort them into studies."""

import filecmp
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
from pydicom.datadict import tag_for_keyword
from pydicom.filereader import read_partial

from lesionflow.io.dicom.deflated import is_deflated, read_bounded
from lesionflow.io.dicom.dicomdir import listed_instances
from lesionflow.io.dicom.reading import READ_FAULTS, is_dicom, kind_of, quiet
from lesionflow.io.dicom.relations.same_patient import PERSON_TAGS, Person, person_of
from lesionflow.machine.faults import blame_machine

NEEDED_TAGS = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
HEADER_TAGS = {
    keyword: tag_for_keyword(keyword) or 0
    for keyword in (
        *NEEDED_TAGS,
        *PERSON_TAGS,
        "DeidentificationMethod",
        "Modality",
        "SeriesDescription",
        "ImageType",
        "BodyPartExamined",
        "ConvolutionKernel",
    )
}
NOBODY_TOLD = Person("")
DICOMDIR_CLASS = "1.2.840.10008.1.3.10"
#: Sorting needs nothing behind this element, the series' UID: outlines and pixels come later.
LAST_HEADER_TAG = max(HEADER_TAGS.values())
#: What is read of a file at first; few headers are longer.
HEAD_BYTES = 1 << 16
#: The element (0020,000D) in either byte order, with or without its VR, and a whole UID.
STUDY_UID = re.compile(rb"(?:\x20\x00\x0d\x00|\x00\x20\x00\x0d).{4}([0-9][0-9.]{4,63})(?=[^0-9.])", re.DOTALL)
#: Before the pixels of any image.
MAX_HEADER_BYTES = 4 << 20
#: Modalities of objects that hold outlines, and of those that say how frames of reference lie in one another.
OUTLINE_MODALITIES = ("RTSTRUCT", "SEG")
REGISTRATION_MODALITIES = ("REG",)


@dataclass(frozen=True)
class Header:
    """What sorting needs of one file."""

    path: str
    patient_id: str
    study_uid: str
    series_uid: str
    instance_uid: str
    modality: str
    description: str
    image_type: tuple[str, ...]
    body_part: str = ""
    kernel: str = ""
    method: tuple[str, ...] = ()
    person: Person = NOBODY_TOLD

    @property
    def is_outline(self) -> bool:
        """Tell whether the file holds outlines, not an image."""
        return self.modality in OUTLINE_MODALITIES

    @property
    def is_image(self) -> bool:
        """Tell whether the file is of a series, not about one."""
        return not self.is_outline and self.modality not in REGISTRATION_MODALITIES


@dataclass(frozen=True)
class DicomStudy:
    """Files of one study by series; `unreadable` are broken files that lay in its folders, `n_missing` of a DICOMDIR's."""

    study_uid: str
    patient_ids: tuple[str, ...]
    series: Mapping[str, tuple[Header, ...]]
    unreadable: tuple[str, ...]
    n_missing: int = 0

    @property
    def person(self) -> Person:
        """What the study says of its patient; of several, what most of its images say."""
        headers = [header for series in self.series.values() for header in series]
        deciding = [header for header in headers if header.is_image] or headers
        told = Counter(header.person for header in deciding)
        return max(told, key=lambda person: (told[person], person)) if told else NOBODY_TOLD

    @property
    def files(self) -> tuple[str, ...]:
        """All readable files of the study, sorted."""
        return tuple(sorted(header.path for headers in self.series.values() for header in headers))

    @property
    def images(self) -> dict[str, tuple[Header, ...]]:
        """The series that hold images."""
        return {uid: headers for uid, headers in self.series.items() if headers[0].is_image}

    @property
    def outlines(self) -> tuple[Header, ...]:
        """The files that hold outlines, each object once, sorted by path."""
        return self._objects(OUTLINE_MODALITIES)

    @property
    def registrations(self) -> tuple[Header, ...]:
        """The files that hold registrations, each object once, sorted by path."""
        return self._objects(REGISTRATION_MODALITIES)

    def _objects(self, modalities: tuple[str, ...]) -> tuple[Header, ...]:
        headers = (header for series in self.series.values() for header in series)
        found = sorted((header for header in headers if header.modality in modalities), key=lambda h: h.path)
        return tuple({header.instance_uid: header for header in reversed(found)}.values())[::-1]


def scan(paths: Iterable[Path]) -> list[DicomStudy]:
    """Sort DICOM files into studies by their UIDs.

    Args:
        paths: Any files; those that are no DICOM are passed over.

    Returns:
        Studies in order of their UIDs. A file that should be DICOM and can't be read belongs to the study that its bytes
        still name; when they name none of those found, to every study that has files in the same folder: which it was part
        of can't be known, so none of them may be taken for whole. Outlines that lie among the images of one other study are
        given to that study, which tells whether they fit it.
    """
    headers: list[Header] = []
    broken: dict[Path, list[str]] = defaultdict(list)
    listed: dict[str, frozenset[str]] = {}
    for path in paths:
        kind, header = _read_header(path)
        if header is not None and header.study_uid:
            headers.append(header)
        elif header is not None:
            listed |= _listed(path)
        elif kind in {"dicom", "broken"} or path.suffix.lower() == ".dcm":
            broken[path.parent].append(str(path))
    by_study = _by_study(headers)
    owners = {path: _named_studies(Path(path)) & set(by_study) for paths in broken.values() for path in paths}
    studies = [_study(uid, own, broken, owners, listed) for uid, own in sorted(by_study.items())]
    claimed = {path for study in studies for path in study.unreadable}
    orphans = sorted(path for paths in broken.values() for path in paths if path not in claimed)
    if orphans and (headers or any(is_dicom(Path(path)) for path in orphans)):
        studies.append(DicomStudy("", ("",), {}, tuple(orphans)))
    return studies


def _read_header(path: Path) -> tuple[str, Header | None]:
    """Return a file's kind, and what sorting needs of it, if that can be read."""
    kind = "broken"
    try:
        with quiet(), path.open("rb") as source:
            head = source.read(HEAD_BYTES)
            kind = kind_of(head)
            if kind not in {"dicom", "bare"}:
                return kind, None
            deflated = is_deflated(head)
            data = None if deflated else _read_head(head, bare=kind == "bare")
            if data is None:
                source.seek(0)
                whole = read_bounded(path) if deflated else source
                data = pydicom.dcmread(
                    whole, stop_before_pixels=True, specific_tags=[*HEADER_TAGS], force=kind == "bare"
                )
            if str(data.file_meta.get("MediaStorageSOPClassUID", "")) == DICOMDIR_CLASS:
                return kind, Header(str(path), "", "", "", "", "", "", ())
            return kind, _header(path, data)
    except READ_FAULTS as error:
        blame_machine(error)
        return kind, None


def _read_head(head: bytes, *, bare: bool) -> Any | None:
    """Read what sorting needs from a file's first bytes; None when it is not all there, in the standard's order."""
    ended = False

    def is_behind(tag: int, _vr: str | None, _length: int) -> bool:
        nonlocal ended
        ended = tag > LAST_HEADER_TAG
        return ended

    data = read_partial(BytesIO(head), is_behind, force=bare, specific_tags=list(HEADER_TAGS.values()))
    return data if ended and all(tag in data for tag in NEEDED_TAGS) else None


def _header(path: Path, data: Any) -> Header:
    kernel = data.get("ConvolutionKernel") or ""
    person = person_of(data)
    return Header(
        path=str(path),
        patient_id=person.patient_id,
        study_uid=str(data["StudyInstanceUID"].value),
        series_uid=str(data["SeriesInstanceUID"].value),
        instance_uid=str(data["SOPInstanceUID"].value),
        modality=str(data.get("Modality") or ""),
        description=str(data.get("SeriesDescription") or ""),
        image_type=_words(data.get("ImageType")),
        body_part=str(data.get("BodyPartExamined") or ""),
        kernel=kernel if isinstance(kernel, str) else "\\".join(map(str, kernel)),
        method=_words(data.get("DeidentificationMethod")),
        person=person,
    )


def _words(value: Any) -> tuple[str, ...]:
    """Return the values of an attribute that has none, one or several."""
    return (value,) if isinstance(value, str) and value else tuple(str(part) for part in value or ())


def _by_study(headers: list[Header]) -> dict[str, list[Header]]:
    """Sort by study; outlines and registrations among the images of one study alone go to that study, whatever they name."""
    image_folders: dict[str, set[Path]] = defaultdict(set)
    for header in headers:
        if header.is_image:
            image_folders[header.study_uid].add(Path(header.path).parent)
    roots = {uid: Path(os.path.commonpath(folders)) for uid, folders in image_folders.items()}
    below: dict[Path, set[str]] = defaultdict(set)
    for uid, folders in image_folders.items():
        for folder in folders:
            for ancestor in (folder, *folder.parents):
                below[ancestor].add(uid)
    studies: dict[str, list[Header]] = defaultdict(list)
    for header in headers:
        near = None if header.is_image else next((f for f in Path(header.path).parents if f in below), None)
        owner = next(iter(below[near])) if near is not None and len(below[near]) == 1 else None
        # One level above a study's images is still its folder; further up is everybody's.
        fits = owner is not None and near is not None and roots[owner].parent in (near, *near.parents)
        studies[owner if owner is not None and fits else header.study_uid].append(header)
    return studies


def _listed(directory: Path) -> Mapping[str, frozenset[str]]:
    """Return what a DICOMDIR lists; one that can't be understood lists nothing."""
    try:
        with quiet():
            return listed_instances(pydicom.dcmread(directory))
    except READ_FAULTS as error:
        blame_machine(error)
        return {}


def _named_studies(path: Path) -> set[str]:
    """Return the study UIDs that stand in a broken file, whole: there what comes after them is no digit."""
    try:
        with path.open("rb") as source:
            return {match[1].decode() for match in STUDY_UID.finditer(source.read(MAX_HEADER_BYTES))}
    except OSError as error:
        blame_machine(error)
        return set()


def _study(
    uid: str,
    headers: list[Header],
    broken: Mapping[Path, list[str]],
    owners: Mapping[str, set[str]],
    listed: Mapping[str, frozenset[str]],
) -> DicomStudy:
    series: dict[str, list[Header]] = defaultdict(list)
    for header in headers:
        series[header.series_uid].append(header)
    folders = {Path(header.path).parent for header in headers}
    near = (path for folder in folders for path in broken.get(folder, ()) if not owners[path])
    unreadable = sorted({*near, *(path for path, named in owners.items() if uid in named)})
    # Outlines of another patient are refused where they are matched with the images.
    deciding = [header for header in headers if header.is_image] or headers
    return DicomStudy(
        uid,
        tuple(sorted({header.patient_id for header in deciding})),
        {key: _without_copies(series[key]) for key in sorted(series)},
        tuple(unreadable),
        sum(len(listed.get(key, frozenset()) - {header.instance_uid for header in series[key]}) for key in series),
    )


def _without_copies(headers: list[Header]) -> tuple[Header, ...]:
    """Sort by path and drop files that are, byte for byte, another of the same instance: exports often hold things twice."""
    kept: dict[str, list[Header]] = defaultdict(list)
    for header in sorted(headers, key=lambda h: h.path):
        twins = kept[header.instance_uid]
        if not any(filecmp.cmp(twin.path, header.path, shallow=False) for twin in twins):
            twins.append(header)
    return tuple(sorted((header for twins in kept.values() for header in twins), key=lambda h: h.path))
