"""De-identify DICOM files by what `deidentification.yaml` lets stay.

References:
    DICOM PS3.15 annex E (Attribute Confidentiality Profiles), PS3.3 C.7.1.1 (Patient Module).
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from lesionflow.cohort.pseudonym import pseudonym
from lesionflow.errors import DicomError
from lesionflow.io.dicom.reading import READ_FAULTS, may_be_dicom, quiet, read_dicom_file
from lesionflow.io.dicom.relations.same_patient import patient_key, person_of
from lesionflow.io.dicom.sorting import DICOMDIR_CLASS
from lesionflow.io.files import find_files
from lesionflow.machine.error_words import plain_words
from lesionflow.machine.faults import blame_machine

TABLE = Path(__file__).with_suffix(".yaml")
#: Says that a file was de-identified here; what the case is called stands behind it.
METHOD = "lesionflow: what its table names stays, all else goes"
#: A year's digits and unit (PS3.5 AS); who is older than this is one of few (45 CFR 164.514).
AGE = re.compile(r"(\d{3})Y")
OLDEST_YEARS = 90
#: UIDs that the standard itself gives out name no one (PS3.6 annex A).
STANDARD_UIDS = "1.2.840.10008."
#: An offset from UTC (PS3.3 C.12.1.1.8): without it, two times of a PET in two zones make another SUV.
ZONE = re.compile(r"[+-]\d{4}")
#: Days by which a patient's dates are moved back, at most: ten years.
MAX_SHIFT_DAYS = 3652
WORD = re.compile(r"([^\W_]+)")
#: Numbers as long as this are dates, record numbers or telephone numbers.
LONG_NUMBER = re.compile(r"\d{4}")
#: Shorter words of a name stand in too many other ones.
MIN_NAME_CHARACTERS = 3
FIRST_OVERLAY_GROUP, FIRST_CURVE_GROUP, REPEATING_GROUPS = 0x6000, 0x5000, 0x100


@dataclass
class Deidentified:
    """What was done.

    Args:
        n_files: Files written.
        n_left_out: Files that are no DICOM, or a DICOMDIR.
        descriptors: Names of series and structures that stay, as they are now.
        sources: The folder that each patient's last file came from, by pseudonym.
    """

    n_files: int = 0
    n_left_out: int = 0
    descriptors: set[str] = field(default_factory=set)
    sources: dict[str, str] = field(default_factory=dict)


class Written(NamedTuple):
    """One file that was written: its patient's pseudonym, the folder it came from, the words that stay."""

    patient: str
    folder: str
    descriptors: frozenset[str]


#: Calls a function for each numbered file.
Apply = Callable[[Callable[[tuple[int, Path]], Written | None], list[tuple[int, Path]]], Iterable[Written | None]]


def deidentify_folder(source: Path, out: Path, secret: str, *, apply: Apply = map) -> Deidentified:
    """Write de-identified copies of all DICOM files below a folder, under names that identify nobody.

    Args:
        source: The studies.
        out: A scratch folder, where the copies go: `<patient>/<study>/<series>/<instance>.dcm`.
        secret: The team's pseudonym key: the same file always becomes the same bytes.
        apply: Calls a function for each item, in any order: `map`, or one that does so in many processes.

    Returns:
        What was done.

    Raises:
        DicomError: `unreadable_file`, `burned_in_annotation`.
    """
    done = Deidentified()
    files = find_files(source)
    for written in apply(partial(_deidentify_file, out, secret, len(files)), list(enumerate(files, start=1))):
        if written is None:
            done.n_left_out += 1
            continue
        done.n_files += 1
        done.descriptors |= written.descriptors
        done.sources[written.patient] = written.folder
    return done


def _deidentify_file(out: Path, secret: str, n_files: int, numbered: tuple[int, Path]) -> Written | None:
    number, path = numbered
    if not may_be_dicom(path):
        return None
    name = f"file {number} of {n_files}"
    data = read_dicom_file(str(path), name=name)
    if str(data.file_meta.get("MediaStorageSOPClassUID", "")) == DICOMDIR_CLASS:
        return None
    clean = deidentify(data, secret, name=name)
    target = out / str(clean.PatientID)
    for uid in (clean.StudyInstanceUID, clean.SeriesInstanceUID):
        target /= str(uid)[-12:]
    target.mkdir(parents=True, exist_ok=True)
    clean.save_as(target / f"{str(clean.SOPInstanceUID)[-24:]}.dcm", enforce_file_format=True)
    return Written(str(clean.PatientID), str(path.parent), frozenset(_descriptors(clean)))


def deidentify(data: Any, secret: str, *, name: str) -> Any:
    """De-identify one data set.

    Args:
        data: As read; stays as it is.
        secret: The team's pseudonym key.
        name: What to call the file in messages.

    Returns:
        A new data set, with its encoding; pixels are those of `data`.

    Raises:
        DicomError: `burned_in_annotation` when the file says that names stand in its pixels; `unreadable_file`.
    """
    if str(data.get("BurnedInAnnotation") or "").upper() == "YES":
        raise DicomError(
            f"Expected no annotation in the pixels of {name}, found that it says there is one. Take it out, or black the "
            "annotation out first.",
            reason="burned_in_annotation",
        )
    try:
        with quiet():
            clean = _Cleaner(data, secret).clean(data)
            _mark(clean, pseudonym(secret, "c", str(data.StudyInstanceUID)))
            clean.preamble, clean.file_meta = b"\0" * 128, _meta(data, clean)
    except READ_FAULTS as error:
        blame_machine(error)
        message = f"Expected readable attributes in {name}, found {plain_words(error, length=100)}. Export it again."
        raise DicomError(message, reason="unreadable_file") from error
    return clean


@cache
def _table() -> Any:
    return yaml.safe_load(TABLE.read_text(encoding="utf-8"))


class _Cleaner:
    """One data set's replacements: those of its patient."""

    def __init__(self, data: Any, secret: str) -> None:
        # One ID for everybody makes no patient: pseudonyms would hide that for ever.
        patient = patient_key(str(data.StudyInstanceUID), person_of(data))
        self.secret, self.patient = secret, pseudonym(secret, "p", patient)
        self.shift = timedelta(days=1 + self._number("d", patient) % MAX_SHIFT_DAYS)
        self.names = {
            word.casefold()
            for element in data
            if element.VR == "PN" or element.keyword in _table()["identity"]
            for word in WORD.findall(str(element.value))
            if len(word) >= MIN_NAME_CHARACTERS
        }

    def clean(self, data: Any, *, nested: bool = False) -> Dataset:
        out = Dataset()
        for element in data:
            action = _action(element, data)
            if action == "M":
                action = "K" if nested else "X"
            if action == "K" and element.VR != "SQ":
                out.add(element)
            elif action != "X":
                out.add_new(element.tag, element.VR, self._value(element, action))
        return out

    def _value(self, element: Any, action: str) -> Any:
        if action == "K":
            return [self.clean(item, nested=True) for item in element.value]
        if action == "U":
            uids = element.value if element.VM > 1 else [element.value or ""]
            return [self.uid(str(uid)) for uid in uids]
        return self._text(str(element.value or ""), action)

    def _text(self, text: str, action: str) -> str:
        if action == "S":
            return self._shifted(text)
        if action == "C":
            return self.descriptor(text)
        if action == "A":
            years = AGE.fullmatch(text)
            return f"{OLDEST_YEARS:03d}Y" if years and int(years[1]) > OLDEST_YEARS else text
        if action == "O":
            return text if ZONE.fullmatch(text.strip()) else ""
        return self.patient if action == "P" else ""

    def uid(self, uid: str) -> str:
        """Return another UID that is the same whenever this one is met (PS3.5 B.2)."""
        return uid if not uid or uid.startswith(STANDARD_UIDS) else f"2.25.{self._number('u', uid) % (1 << 127)}"

    def descriptor(self, text: str) -> str:
        """Take out every word that names somebody or holds a long number."""
        return WORD.sub(lambda m: "" if self._tells(m[1].casefold()) else m[1], text).strip(" _-^")

    def _tells(self, word: str) -> bool:
        return bool(LONG_NUMBER.search(word)) or any(name in word for name in self.names)

    def _shifted(self, text: str) -> str:
        try:
            moved = datetime.strptime(text[:8], "%Y%m%d") - self.shift  # noqa: DTZ007 scanners write local time
        except (ValueError, OverflowError):
            return ""
        return f"{moved:%Y%m%d}{text[8:]}"

    def _number(self, kind: str, text: str) -> int:
        digest = hmac.new(self.secret.encode(), f"{kind}\0{text}".encode(), hashlib.sha256).hexdigest()
        return int(digest, 16)


def _action(element: Any, data: Any) -> str:
    table, tag = _table(), element.tag
    if tag.element == 0:
        return "X"
    if tag.is_private:
        return (
            "K" if any(_is_safe(tag, creator, tags, data) for creator, tags in table["safe_private"].items()) else "X"
        )
    for first in (FIRST_OVERLAY_GROUP, FIRST_CURVE_GROUP):
        if first <= tag.group < first + REPEATING_GROUPS:
            return "X"
    closed = tag.group in table["closed_groups"]
    return str(table["by_keyword"].get(element.keyword) or ("X" if closed else table["by_vr"].get(element.VR, "X")))


def _is_safe(tag: Any, creator: str, tags: list[int], data: Any) -> bool:
    """Tell whether a private element is one of these, or the word that claims their block."""
    if tag.is_private_creator:
        return str(data[tag].value).strip() == creator and tag.group in {number >> 16 for number in tags}
    return int(tag) in tags and str(data.get((tag.group, tag.element >> 8), "")).find(creator) >= 0


def _mark(clean: Dataset, case: str) -> None:
    clean.PatientIdentityRemoved, clean.LongitudinalTemporalInformationModified = "YES", "MODIFIED"
    clean.DeidentificationMethod = [METHOD, case]
    codes = []
    for value, meaning in _table()["method"]:
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = str(value), "DCM", meaning
        codes.append(item)
    clean.DeidentificationMethodCodeSequence = codes


def _meta(data: Any, clean: Dataset) -> FileMetaDataset:
    meta, given = FileMetaDataset(), getattr(data, "file_meta", None) or {}
    implicit = data.original_encoding[0]
    meta.TransferSyntaxUID = given.get("TransferSyntaxUID") or (
        ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    )
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = clean.SOPClassUID, clean.SOPInstanceUID
    return meta


def _descriptors(clean: Dataset) -> Iterator[str]:
    """Yield what was cleaned and is left, at the top and in the lists of structures and segments."""
    wanted = {keyword for keyword, action in _table()["by_keyword"].items() if action == "C"}
    named = [*clean.get("StructureSetROISequence", ()), *clean.get("SegmentSequence", ())]
    for element in (element for data in (clean, *named) for element in data):
        if element.keyword in wanted and element.value:
            yield str(element.value)
