"""What a segmentation repeats of its images: made anew of what the standard allows, whatever else the files hold.

Real files have elements of unknown type, text in other character sets than they say, dates that are none, values longer than
their type: what can't be written again is left out, and what a segmentation must say is said, if only that it is not known.
"""

import math
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NoReturn

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.multival import MultiValue
from pydicom.uid import ExplicitVRLittleEndian

from lesionflow.errors import DicomError
from lesionflow.io.dicom.reading import READ_FAULTS, quiet
from lesionflow.machine.error_words import plain_words
from lesionflow.machine.faults import blame_machine

#: Longest values of the types of text that patient and study are told in (PS3.5 6.2); longer ones are seen in real studies.
LONGEST = {"SH": 16, "CS": 16, "LO": 64, "ST": 1024, "LT": 10240, "UC": 10240, "UT": 10240}
#: Groups of patient and study, of which a segmentation repeats what its images say.
REPEATED_GROUPS = (0x0008, 0x0010, 0x0012, 0x0020)
#: What every object says of patient and study, if only that it is not known (type 2; PS3.3 C.7.1.1 and C.7.2.1).
NEEDED = {
    "PatientID": "LO",
    "PatientName": "PN",
    "PatientBirthDate": "DA",
    "PatientSex": "CS",
    "StudyDate": "DA",
    "StudyTime": "TM",
    "StudyID": "SH",
    "AccessionNumber": "SH",
    "ReferringPhysicianName": "PN",
}
SEXES = ("M", "F", "O")
#: Without these nothing can refer to an image.
REFERRED = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
#: Where an image lies and what it is; numbers that the geometry was read from already.
PLACE = (
    "Rows",
    "Columns",
    "NumberOfFrames",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "Modality",
)
GROUPS = ("PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence")
PATTERNS = {
    "CS": re.compile(r"[A-Z0-9 _]{0,16}"),
    "AS": re.compile(r"\d{3}[DWMY]"),
    "TM": re.compile(r"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)?"),
    "UI": re.compile(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))*"),
    "IS": re.compile(r"[+-]?\d{1,11}"),
}
CONTROL = re.compile(r"[\x00-\x1f\x7f\\]+")
#: Of each way that a name is spelt; the caret that may be added counts.
LONGEST_NAME = 63
UTF8 = "ISO_IR 192"


def as_sources(images: Sequence[Any], step_mm: float, *, name: str) -> tuple[list[Dataset], str]:
    """Return the images as data sets that a segmentation can be made of, and the patient's name as it should stand there.

    Args:
        images: Data sets of the series, without pixels.
        step_mm: Distance of its slices, for those that don't say how thick they are.
        name: What to call the study in messages.

    Returns:
        The data sets; in the first, the end of a name's first component is marked for the time being: highdicom takes one
        without a caret for a mistake, though PS3.5 6.2.1 allows it.

    Raises:
        DicomError: `unreferable_images` when they lack what a segmentation must name.
    """
    try:
        with quiet():
            sources = [_placed(data, step_mm, name) for data in images]
            _repeat(images[0], sources[0])
            for source in sources[1:]:
                for keyword in NEEDED:
                    source[keyword] = sources[0][keyword]
    except DicomError:
        raise
    except READ_FAULTS as error:
        blame_machine(error)
        message = (
            f"Expected headers in {name} that a segmentation can refer to, found {plain_words(error, length=100)}."
        )
        raise DicomError(message, reason="unreferable_images") from error
    patient = str(sources[0].PatientName or "")
    if patient and "^" not in patient:
        sources[0].PatientName = f"{patient}^"
    return sources, patient


def _placed(data: Any, step_mm: float, name: str) -> Dataset:
    """Return what says which image this is and where it lies."""
    source = Dataset()
    source.file_meta = FileMetaDataset()
    source.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta = getattr(data, "file_meta", None) or {}
    for keyword in REFERRED:
        uid = str(data.get(keyword) or "").strip()
        if not uid and keyword == "SOPClassUID":
            uid = str(meta.get("MediaStorageSOPClassUID") or "")
        if not uid:
            _refuse(f"no {keyword}", name)
        setattr(source, keyword, uid)
    for keyword in PLACE:
        if keyword in data:
            source[keyword] = data[keyword]
    source.PositionReferenceIndicator = ""
    source.SpecificCharacterSet = UTF8
    if "PerFrameFunctionalGroupsSequence" in data:
        source.SharedFunctionalGroupsSequence = [
            _groups((data.get("SharedFunctionalGroupsSequence") or [Dataset()])[0], step_mm)
        ]
        source.PerFrameFunctionalGroupsSequence = [
            _groups(item, step_mm) for item in data.PerFrameFunctionalGroupsSequence
        ]
    else:
        source.SliceThickness = _thickness(data, step_mm)
    return source


def _groups(item: Any, step_mm: float) -> Dataset:
    """Return the groups of a frame that say where it lies."""
    groups = Dataset()
    for keyword in GROUPS:
        if item.get(keyword):
            groups[keyword] = item[keyword]
    for measures in groups.get("PixelMeasuresSequence") or ():
        measures.SliceThickness = _thickness(measures, step_mm)
    return groups


def _thickness(data: Any, step_mm: float) -> str:
    """Return what a header says, when that is a thickness; else the slice distance."""
    try:
        told = float(data.get("SliceThickness") or 0.0)
    except (TypeError, ValueError):
        told = 0.0
    return f"{told if math.isfinite(told) and 0.0 < told < 1e6 else step_mm:.6g}"


def _repeat(data: Any, source: Dataset) -> None:
    """Repeat what an image says of patient and study, element by element, when it can be written."""
    for tag in [tag for tag in data.keys() if tag.group in REPEATED_GROUPS and not tag.is_private and tag.element]:  # noqa: SIM118 keys decode no values
        if tag in source:
            continue
        try:
            element = _legal(data[tag])
        except READ_FAULTS as error:
            blame_machine(error)
            continue
        if element is not None and _can_be_written(element):
            source.add(element)
    for keyword, vr in NEEDED.items():
        if keyword not in source:
            source.add(DataElement(keyword, vr, ""))
    if source.PatientSex not in SEXES:
        source.PatientSex = ""


def _legal(element: Any) -> DataElement | None:
    """Return an element whose value is of its type; None when it can't be made so."""
    vr = str(element.VR)
    if vr == "SQ":
        return DataElement(element.tag, vr, element.value)
    texts = [_text(vr, CONTROL.sub(" ", str(text)).strip()) for text in _values(element.value)]
    texts = texts[:1] if element.keyword in NEEDED else texts
    if any(text is None for text in texts):
        return None
    return DataElement(element.tag, vr, texts[0] if len(texts) == 1 else texts)


def _values(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, MultiValue)) else ["" if value is None else value]


def _text(vr: str, text: str) -> str | None:
    """Return a value as text of its type, cut to its length; None when it is of no kind that patient and study are told in."""
    if vr == "PN":
        return "=".join(spelling[:LONGEST_NAME].rstrip() for spelling in text.split("="))
    if vr in LONGEST and vr != "CS":
        return text[: LONGEST[vr]].rstrip()
    if not text:
        return text
    if vr == "DA":
        return _date(text)
    if vr == "DS":
        return text if len(text) <= 16 and math.isfinite(float(text)) else None
    pattern = PATTERNS.get(vr)
    return text if pattern is not None and pattern.fullmatch(text) and (vr != "UI" or len(text) <= 64) else None


def _date(text: str) -> str | None:
    digits = text.replace(".", "")
    try:
        return f"{datetime.strptime(digits, '%Y%m%d'):%Y%m%d}"  # noqa: DTZ007 a day, nowhere in particular
    except ValueError:
        return None


def _can_be_written(element: DataElement) -> bool:
    probe = Dataset()
    probe.SpecificCharacterSet = UTF8
    probe.add(element)
    out = DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = True, False
    try:
        write_dataset(out, probe)
    except READ_FAULTS as error:
        blame_machine(error)
        return False
    return True


def _refuse(found: str, name: str) -> NoReturn:
    raise DicomError(
        f"Expected images of {name} that a segmentation can refer to, found {found}. Ask for another format, or mend the headers.",
        reason="unreferable_images",
    )
