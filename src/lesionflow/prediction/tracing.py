"""What a file that was given out says of its origin, and whether it still holds what it was given out with."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from lesionflow.errors import InputError, MachineError
from lesionflow.io.files import parse_json
from lesionflow.prediction import PASSPORT_KEY
from lesionflow.prediction.mask_identity import MaskIdentity, hash_regions
from lesionflow.prediction.passport import Passport

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
NRRD_MAGIC = b"NRRD000"
STRUCTURE_SET = "1.2.840.10008.5.1.4.1.1.481.3"
NAME = "the mask"


class State(StrEnum):
    """What was found of one thing; all but `HELD`, `UNCHECKED` and `BARRED` (of the model that made it) break the chain from file to data."""

    HELD = "ok"
    ALTERED = "ALTERED"
    BROKEN = "BROKEN"
    ABSENT = "ABSENT"
    UNCHECKED = "not checked"
    BARRED = "BARRED"

    @property
    def is_whole(self) -> bool:
        """Whether nothing speaks against it."""
        return self in (State.HELD, State.UNCHECKED, State.BARRED)


class TraceFinding(NamedTuple):
    """One thing that was looked at: which, how it was found, and in a sentence why."""

    what: str
    state: State
    detail: str


class TracedFile(NamedTuple):
    """A file: what it is, its passport where it has one that can be read, and what was found."""

    kind: str
    passport: Passport | None
    findings: tuple[TraceFinding, ...]


def trace_file(path: Path) -> TracedFile:
    """Read a file's passport and compare the file with it.

    Args:
        path: A mask, a picture or a report that was given out, or what became of it.

    Raises:
        MachineError: When the machine can't read it.
    """
    kind = _kind(path)
    text = _passport_text(path, kind)
    if not text:
        return TracedFile(kind, None, (TraceFinding("passport", State.ABSENT, _absent(path, kind)),))
    try:
        passport = Passport.model_validate_json(text)
    except ValidationError as error:
        detail = f"a passport that can't be read ({error.error_count()} fields are wrong or missing)"
        return TracedFile(kind, None, (TraceFinding("passport", State.BROKEN, detail),))
    return TracedFile(kind, passport, (_seal(passport), _content(path, kind, passport), *_bound(path, kind, passport)))


def _kind(path: Path) -> str:
    from lesionflow.io.dicom.reading import is_dicom

    if is_dicom(path):
        return "DICOM"
    with path.open("rb") as source:
        start = source.read(len(PNG_MAGIC))
    if start == PNG_MAGIC:
        return "PNG"
    if start.startswith(NRRD_MAGIC):
        return "NRRD"
    return "report" if start.lstrip()[:1] == b"{" or path.suffix == ".json" else "NIfTI"


def _passport_text(path: Path, kind: str) -> str:
    if kind == "DICOM":
        from lesionflow.io.dicom.writing.private_text import read_private_text

        data = _read_dicom(path)
        return "" if data is None else read_private_text(data)
    if kind == "PNG":
        from lesionflow.io.images.pictures.png_texts import read_png_text

        return read_png_text(path, PASSPORT_KEY)
    if kind == "NRRD":
        from lesionflow.io.images.written.named_segments_nrrd import read_header_text

        return read_header_text(path, PASSPORT_KEY)
    return _report_text(path) if kind == "report" else _nifti_text(path)


def _nifti_text(path: Path) -> str:
    from lesionflow.io.images.nifti_texts import read_comments

    return next((text for text in read_comments(path) if text.startswith("{") and '"bundle_digest"' in text), "")


def _report_text(path: Path) -> str:
    import json

    try:
        content = parse_json(path)
    except (OSError, ValueError):
        return ""
    passport = content.get("passport") if isinstance(content, dict) else None
    return json.dumps(passport) if passport is not None else ""


def _read_dicom(path: Path) -> Any:
    from lesionflow.io.dicom.reading import read_dicom_file

    try:
        return read_dicom_file(str(path), name=NAME)
    except InputError:
        return None


def _absent(path: Path, kind: str) -> str:
    from lesionflow.prediction.origin import read_origin

    origin = read_origin(path) if kind in ("DICOM", "NIfTI") else None
    if origin is None:
        return (
            "nothing in the file says that lesionflow wrote it, or another program wrote it again without its passport"
        )
    called = f"{origin.model_name} {origin.model_version} " if origin.model_name else ""
    return (
        f"its header names the bundle {called}{origin.bundle_digest}, but another program wrote the file again without its "
        "passport, or lesionflow 0.2 or older wrote it: whether the mask is as it was can't be told"
    )


def _seal(passport: Passport) -> TraceFinding:
    if passport.is_unchanged:
        return TraceFinding("passport", State.HELD, "as it was written")
    if passport.mask is None and not passport.seal:
        detail = "written by lesionflow 0.2 or older: it has no hash of the mask and no seal"
        return TraceFinding("passport", State.BROKEN, detail)
    return TraceFinding("passport", State.ALTERED, "its id or seal does not follow from the rest: somebody changed it")


def _content(path: Path, kind: str, passport: Passport) -> TraceFinding:
    told = passport.mask
    if kind == "report" or (kind == "DICOM" and "ContentSequence" in _read_dicom(path)):
        return TraceFinding("mask", State.UNCHECKED, "figures hold no voxels: trace the mask itself")
    if told is None:
        return TraceFinding("mask", State.BROKEN, "the passport does not say which mask it belongs to")
    if kind == "PNG":
        return _picture(path, passport)
    try:
        regions = _seg_regions(path, told) if kind == "DICOM" else _voxel_regions(path, told, kind)
    except MachineError:
        raise
    except (InputError, _AlteredError) as error:
        return TraceFinding("mask", State.ALTERED, str(error))
    if hash_regions(regions, told.grid) == told.sha256:
        return TraceFinding("mask", State.HELD, "every voxel is as it was written")
    counts = ", ".join(f"{name} {int(np.count_nonzero(region))}" for name, region in regions.items())
    return TraceFinding("mask", State.ALTERED, f"voxels are not those that were written; now: {counts}")


def _bound(path: Path, kind: str, passport: Passport) -> tuple[TraceFinding, ...]:
    """Compare what a file says beside its voxels: of a DICOM object whose it is, of a report all of it."""
    if kind == "DICOM":
        data = _read_dicom(path)
        figures = (_figures(data, passport),) if "ContentSequence" in data else ()
        return (_study(data, passport), _header(data, passport), *figures)
    if kind == "report":
        return (_report(path, passport),)
    return ()


def _study(data: Any, passport: Passport) -> TraceFinding:
    from lesionflow.prediction.study_identity import identify_study

    if passport.study is None:
        detail = "the passport does not say whose the mask is, as none before 0.3 did: patient and references are not covered"
        return TraceFinding("study", State.UNCHECKED, detail)
    changed = passport.study.differences(identify_study(data))
    if not changed:
        return TraceFinding(
            "study",
            State.HELD,
            "PatientID and the UIDs of study, series, frame of reference and images are as they were written",
        )
    return TraceFinding("study", State.ALTERED, f"not those that it was written for: {', '.join(changed)}")


def _header(data: Any, passport: Passport) -> TraceFinding:
    from lesionflow.io.dicom.writing.header_hash import hash_header

    if passport.header_sha256 is None:
        detail = (
            "an older passport, which covers PatientID and UIDs alone: names, dates, codes and approvals may be others"
        )
        return TraceFinding("header", State.UNCHECKED, detail)
    if hash_header(data) == passport.header_sha256:
        detail = "names, dates, codes, approvals and all else beside are as they were written"
        return TraceFinding("header", State.HELD, detail)
    detail = "names, dates, codes, approvals or what else stands beside are not those that were written"
    return TraceFinding("header", State.ALTERED, detail)


def _figures(data: Any, passport: Passport) -> TraceFinding:
    from lesionflow.io.dicom.writing.content_tree import hash_content

    try:
        same = hash_content(data) == passport.report_sha256
    except InputError as error:
        return TraceFinding("figures", State.ALTERED, str(error))
    detail = (
        "every figure and word is as it was written" if same else "figures or words are not those that were written"
    )
    return TraceFinding("figures", State.HELD if same else State.ALTERED, detail)


def _report(path: Path, passport: Passport) -> TraceFinding:
    from lesionflow.prediction.report import hash_report

    if passport.report_sha256 is None:
        detail = "the passport does not cover what the report says, as none before 0.3 did"
        return TraceFinding("report", State.UNCHECKED, detail)
    if hash_report(parse_json(path)) == passport.report_sha256:
        return TraceFinding("report", State.HELD, "every figure and word is as it was written")
    return TraceFinding("report", State.ALTERED, "its figures or words are not those that were written")


def _picture(path: Path, passport: Passport) -> TraceFinding:
    from lesionflow.io.images.pictures.png_texts import hash_pixels

    if hash_pixels(path.read_bytes()) == passport.picture_sha256:
        return TraceFinding("picture", State.HELD, "every pixel is as it was written")
    return TraceFinding("picture", State.ALTERED, "pixels are not those that were written")


class _AlteredError(Exception):
    """What is in the file is no mask that the passport could belong to."""


def _voxel_regions(path: Path, told: MaskIdentity, kind: str) -> Mapping[str, NDArray[np.bool_]]:
    from lesionflow.io.images.nifti import read_mask
    from lesionflow.io.images.written.named_segments_nrrd import read_named_segments

    mask = read_named_segments(path, name=NAME) if kind == "NRRD" else read_mask(path, name=NAME)
    if not told.grid.geometry().same_grid(mask.geometry):
        message = f"it lies on another grid than it was written on: now {mask.geometry.shape}, then {told.grid.shape}"
        raise _AlteredError(message)
    known = {label for labels in told.targets.values() for label in labels}
    if strange := sorted(set(mask.present) - known):
        message = f"voxels have labels {strange} that no target has"
        raise _AlteredError(message)
    return {name: mask.region(labels) for name, labels in told.targets.items()}


def _seg_regions(path: Path, told: MaskIdentity) -> Mapping[str, NDArray[np.bool_]]:
    from lesionflow.io.dicom.seg import read_regions
    from lesionflow.io.dicom.writing.structure_set import read_structure_regions

    data = _read_dicom(path)
    read = read_structure_regions if str(data.get("SOPClassUID")) == STRUCTURE_SET else read_regions
    found = read(data, told.grid.geometry(), name=NAME)
    if list(found) != list(told.targets):
        message = f"its segments or structures are {', '.join(found)}, not {', '.join(told.targets)}"
        raise _AlteredError(message)
    return found


def unsound(findings: Iterator[TraceFinding] | tuple[TraceFinding, ...]) -> tuple[TraceFinding, ...]:
    """Return what breaks the chain from a file to its data."""
    return tuple(finding for finding in findings if not finding.state.is_whole)
