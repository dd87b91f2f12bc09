"""DICOM studies: images by rule, outlines by geometry."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from lesionflow.cohort.pseudonym import is_pseudonym
from lesionflow.data.volume import Mask, Volume
from lesionflow.errors import DicomError
from lesionflow.io.dicom.deidentification import METHOD
from lesionflow.io.dicom.reading import is_dicom, read_dicom_file
from lesionflow.io.dicom.relations.candidates import choose_series
from lesionflow.io.dicom.relations.drawn_on import drawn_on
from lesionflow.io.dicom.relations.outlines import read_outlines
from lesionflow.io.dicom.relations.registration import in_frame_of
from lesionflow.io.dicom.relations.same_patient import patient_keys, significant
from lesionflow.io.dicom.series import MODALITIES, Series, read_series
from lesionflow.io.dicom.sorting import DicomStudy, scan
from lesionflow.io.files import find_files
from lesionflow.io.notes import note, took
from lesionflow.io.rules import CASE, ReadingRules, ReadStudy, SourceStudy

#: Over midnight, and with one date for a series and another for its reconstruction.
MOST_DAYS = 1


def detect(folder: Path) -> bool:
    """Tell whether a folder holds a DICOM file anywhere."""
    return any(is_dicom(path) for path in find_files(folder))


def find_studies(folder: Path) -> Iterator[SourceStudy]:
    """Yield the studies below a folder; one that can't be right whatever its pixels say carries its fault."""
    studies = {study.study_uid or "unreadable": study for study in scan(find_files(folder))}
    patients = patient_keys(
        {key: study.person._replace(patient_id=study.patient_ids[0]) for key, study in studies.items()}
    )
    for key, study in studies.items():
        yield SourceStudy(
            key, patients[key], study.files + study.unreadable, _fault(study), study, pseudonyms=_pseudonyms(study)
        )


def _pseudonyms(study: DicomStudy) -> tuple[str, str] | None:
    """Return what `data add` named the case and its patient, when it de-identified every file of the study."""
    said = {(h.method, h.patient_id) for headers in study.series.values() for h in headers}
    if len(said) != 1:
        return None
    method, patient = said.pop()
    case = method[1] if len(method) > 1 and method[0] == METHOD else ""
    return (case, patient) if is_pseudonym("c", case) and is_pseudonym("p", patient) else None


def read_study(source: SourceStudy, rules: ReadingRules, *, name: str, outlines: bool = True) -> ReadStudy:
    """Read one study.

    Args:
        source: From `find_studies`, or any files of one study.
        rules: Which series is which channel, which outline which label.
        name: What to call the study in messages.
        outlines: Also read the outlines; without, the mask is None.

    Returns:
        The channels, each on its own grid, and the mask on the reference channel's.

    Raises:
        DicomError: `several_studies`, `unreadable_file`, `mixed_patients`, `missing_channel`, `unsupported_modality`,
            `ambiguous_series`, `other_frame_of_reference` and other reasons of registrations, `no_outline`, `outline_of_another_study`, `ambiguous_outlines`, and all reasons of series,
            structure sets and segmentations.
    """
    study = source.found if isinstance(source.found, DicomStudy) else _only_study(source.files, name)
    fault = source.fault or _fault(study)
    if fault is not None:
        raise DicomError(fault[1].replace(CASE, name), reason=fault[0])
    series = {channel: _read_channel(study, rules, channel, name) for channel in rules.channels}
    reference = series[rules.reference]
    _say_days_apart(series, name)
    mask = _read_outlines(study, series, rules, name) if outlines else None
    return ReadStudy(_in_one_frame(study, series, reference, name), mask, reference.files, reference.attributes)


def _only_study(files: tuple[str, ...], name: str) -> DicomStudy:
    studies = scan(Path(path) for path in files)
    if len(studies) != 1:
        _refuse(
            "several_studies" if studies else "unreadable_file",
            f"Expected the files of one study in {name}, found {len(studies)} studies. Send one at a time.",
        )
    return studies[0]


def _fault(study: DicomStudy) -> tuple[str, str] | None:
    if study.unreadable:
        message = (
            f"Expected readable DICOM files in the folders of {CASE}, found {len(study.unreadable)} that are broken or don't "
            "say which study they are of: what is missing can't be known. Export the study again."
        )
        return "unreadable_file", message
    if study.n_missing:
        return "missing_file", (
            f"Expected all files of {CASE} that its DICOMDIR lists, found {study.n_missing} missing from series that are there: "
            "the copy is not whole. Copy the medium again, or take the DICOMDIR out."
        )
    if not study.images:
        message = (
            f"Expected the images that the outlines of {CASE} were drawn on, found none: they belong to another study, or "
            "the images are missing. Add the images or take the outlines out."
        )
        return "outline_of_another_study", message
    if len(study.patient_ids) > 1:
        return "mixed_patients", (
            f"Expected the images of one patient in study {CASE}, found {len(study.patient_ids)} patients. Separate them."
        )
    return None


def _read_channel(study: DicomStudy, rules: ReadingRules, channel: str, name: str) -> Series:
    chosen = choose_series(study.images, rules.channels[channel], MODALITIES, channel=channel, name=name)
    paths = tuple(header.path for header in chosen)
    took(channel, f"{chosen[0].description or '(no description)'}, {len(paths)} files")
    return read_series(paths, name=name, spacing_tolerance_fraction=rules.spacing_tolerance_fraction)


def _say_days_apart(series: Mapping[str, Series], name: str) -> None:
    """Say that channels were taken on days that lie apart: a tumor grows, and a patient lies otherwise."""
    days = [day for entry in series.values() if (day := entry.acquired) is not None]
    n_days = (max(days) - min(days)).days if days else 0
    if n_days > MOST_DAYS:
        note(
            "days_apart",
            f"Expected channels of {name} that were taken on one day, found {n_days} days between {', '.join(series)}: their "
            "voxels may not show the same.",
        )


def _in_one_frame(study: DicomStudy, series: Mapping[str, Series], reference: Series, name: str) -> dict[str, Volume]:
    """Return the channels' volumes in the frame of reference of the reference channel."""
    frames = {entry.series_uid: entry.frame_of_reference for entry in series.values()}
    registrations: list[Any] = []
    by_instance: dict[str, str] = {}
    if len(set(frames.values())) > 1:
        found = (read_dicom_file(header.path, name=name) for header in study.registrations)
        registrations = [data for data in found if significant(data.get("PatientID")) in study.patient_ids]
        by_instance = {h.instance_uid: frame for uid, frame in frames.items() for h in study.series.get(uid, ())}
    return {
        channel: entry.volume
        if entry is reference
        else in_frame_of(
            entry.volume,
            entry.frame_of_reference,
            reference.frame_of_reference,
            registrations,
            by_instance,
            what=channel,
            name=name,
        )
        for channel, entry in series.items()
    }


def _read_outlines(study: DicomStudy, series: Mapping[str, Series], rules: ReadingRules, name: str) -> Mask:
    if not study.outlines:
        _refuse(
            "no_outline", f"Expected an RTSTRUCT or DICOM SEG in {name}, found none. Outline the study or leave it out."
        )
    reference = series[rules.reference]
    candidates = [read_dicom_file(header.path, name=name) for header in study.outlines]
    of_patient = [data for data in candidates if significant(data.get("PatientID")) in study.patient_ids]
    named = [drawn_on(data, study, rules) for data in of_patient]
    fitting = [
        data
        for data, uids in zip(of_patient, named, strict=True)
        if reference.series_uid in uids or (not uids and _may_belong(study, reference, name))
    ]
    if not fitting:
        others = [channel for channel, entry in series.items() if any(entry.series_uid in uids for uids in named)]
        _refuse(
            "outline_of_another_study",
            f"Expected outlines drawn on the reference series of {name} ({rules.reference}), found only {len(candidates)} of another series, "
            + (
                f"that of {' and '.join(others)}. Set ingest.reference_channel to it if these are the outlines that are meant."
                if others
                else "study or patient. Export those that belong to it."
            ),
        )
    return read_outlines(fitting, reference, rules, name=name)


def _may_belong(study: DicomStudy, reference: Series, name: str) -> bool:
    """Take outlines that name no series for those of the reference channel, and say so where there are several that it may be."""
    # The readers compare the frames of reference, and every contour must lie on a slice.
    modality = study.images[reference.series_uid][0].modality
    like = [headers for headers in study.images.values() if headers[0].modality == modality and len(headers) > 1]
    if len(like) > 1:
        note(
            "outlines_name_no_series",
            f"Outlines of {name} name none of the {len(like)} {modality} series that are here: they were taken for those of the "
            "reference channel, as they are in its frame of reference.",
        )
    return True


def _refuse(reason: str, message: str) -> NoReturn:
    raise DicomError(message, reason=reason)
