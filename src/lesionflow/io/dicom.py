"""DICOM studies: images by rule, outlines by geometry."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lesionflow.data.volume import Mask
from lesionflow.errors import DicomError, InputError
from lesionflow.io.dicom_files import DicomStudy, find_files, is_dicom, read_dataset, scan
from lesionflow.io.dicom_seg import read_segments
from lesionflow.io.dicom_series import Series, read_series
from lesionflow.io.rtstruct import read_structures, referenced_series
from lesionflow.io.rules import ReadingRules, ReadStudy, SourceStudy

#: Modalities of objects that hold outlines.
OUTLINE_MODALITIES = ("RTSTRUCT", "SEG")


def detect(folder: Path) -> bool:
    """Tell whether a folder holds a DICOM file anywhere."""
    return any(is_dicom(path) for path in find_files(folder))


def find_studies(folder: Path) -> Iterator[SourceStudy]:
    """Yield the studies below a folder; one that can't be right whatever its pixels say carries its fault."""
    for study in scan(find_files(folder)):
        files = study.files + study.unreadable
        yield SourceStudy(study.study_uid or "unreadable", study.patient_ids[0], files, _fault(study))


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
        DicomError: `missing_channel`, `ambiguous_series`, `no_outline`, `ambiguous_outlines`, and all reasons of series,
            structure sets and segmentations.
    """
    if source.fault is not None:
        raise DicomError(source.fault[1].replace("@", name), reason=source.fault[0])
    studies = scan(Path(path) for path in source.files)
    if len(studies) != 1:
        raise DicomError(
            f"Expected the files of one study in {name}, found {len(studies)} studies. Send one at a time.",
            reason="several_studies",
        )
    study = studies[0]
    series = {
        channel: read_series(
            _choose_series(study, rules, channel, name),
            name=name,
            spacing_tolerance_fraction=rules.spacing_tolerance_fraction,
        )
        for channel in rules.channels
    }
    reference = series[rules.reference]
    mask = _read_outlines(study, reference, rules, name) if outlines else None
    volumes = {channel: entry.volume for channel, entry in series.items()}
    return ReadStudy(volumes, mask, reference.files, reference.attributes)


def _fault(study: DicomStudy) -> tuple[str, str] | None:
    if study.unreadable:
        message = (
            f"Expected readable DICOM files in the folders of @, found {len(study.unreadable)} broken or truncated: what is "
            "missing can't be known. Export the study again."
        )
        return "unreadable_file", message
    if len(study.patient_ids) > 1:
        return "mixed_patients", f"Expected one patient in study @, found {len(study.patient_ids)}. Separate them."
    if all(headers[0].modality in OUTLINE_MODALITIES for headers in study.series.values()):
        message = "Expected the images that the outlines of @ were drawn on, found none: they belong to another study."
        return "outline_of_another_study", message
    return None


def _choose_series(study: DicomStudy, rules: ReadingRules, channel: str, name: str) -> tuple[str, ...]:
    rule = rules.channels[channel]
    fitting = {
        uid: headers
        for uid, headers in study.series.items()
        if rule.fits(headers[0].modality, headers[0].description)
        and not all("LOCALIZER" in header.image_type for header in headers)
    }
    if len(fitting) == 1:
        return tuple(header.path for header in next(iter(fitting.values())))
    what = f"modality {rule.modality}" + (f", description {rule.description!r}" if rule.description else "")
    if not fitting:
        found = ", ".join(sorted({headers[0].modality for headers in study.series.values()}))
        raise DicomError(
            f"Expected a series for channel {channel} ({what}) in {name}, found only {found}. Add it, or change the channel's "
            "rule.",
            reason="missing_channel",
        )
    raise DicomError(
        f"Expected one series for channel {channel} ({what}) in {name}, found {len(fitting)}. Tell them apart by "
        "series_description.",
        reason="ambiguous_series",
    )


def _read_outlines(study: DicomStudy, reference: Series, rules: ReadingRules, name: str) -> Mask:
    candidates = [
        read_dataset(header.path, name=name)
        for headers in study.series.values()
        for header in headers
        if header.modality in OUTLINE_MODALITIES
    ]
    fitting = [data for data in candidates if _belongs(data, reference)]
    if not candidates:
        raise DicomError(
            f"Expected an RTSTRUCT or DICOM SEG in {name}, found none. Outline the study or leave it out.",
            reason="no_outline",
        )
    if not fitting:
        raise DicomError(
            f"Expected outlines drawn on the reference series of {name}, found only some of other series or another study. "
            "Export those that belong to it.",
            reason="outline_of_another_study",
        )
    masks = []
    refusal: InputError | None = None
    for data in fitting:
        read = read_structures if str(data.Modality) == "RTSTRUCT" else read_segments
        try:
            masks.append(read(data, reference.volume.geometry, reference.frame_of_reference, rules, name=name))
        except DicomError as error:
            if error.reason != "no_matching_outline":
                raise
            refusal = error
    if len(masks) > 1:
        raise DicomError(
            f"Expected one structure set or segmentation with the wanted outlines in {name}, found {len(masks)}. Keep the "
            "final one.",
            reason="ambiguous_outlines",
        )
    if not masks and refusal is not None:
        raise refusal
    return masks[0]


def _belongs(data: Any, reference: Series) -> bool:
    """Tell whether outlines were drawn on the reference series: by the series they name, else by frame of reference."""
    if str(data.Modality) == "RTSTRUCT":
        named = referenced_series(data)
    else:
        named = {str(item.SeriesInstanceUID) for item in data.get("ReferencedSeriesSequence") or ()}
    if named:
        return reference.series_uid in named
    return str(data.get("FrameOfReferenceUID") or "") == reference.frame_of_reference
