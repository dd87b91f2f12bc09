"""Which series of a study is a channel: those that its rule fits, less what is beside a stack and no stack itself.

Localizers, dose reports and screen captures, fused pictures, projections, monitoring of a contrast bolus, and PET without attenuation
correction lie beside the stack in most studies of routine, with its modality. Each is left out only when something else is
there to take, and that is said.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import pydicom
from pydicom.tag import Tag

from lesionflow.errors import DicomError
from lesionflow.io.dicom.multiframe import is_multiframe
from lesionflow.io.dicom.reading import READ_FAULTS, quiet
from lesionflow.io.dicom.sorting import Header
from lesionflow.io.notes import note
from lesionflow.io.rules import SeriesRule
from lesionflow.machine.faults import blame_machine

#: Words of an image's type (PS3.3 C.7.6.1.1.2 and makers' own) for what shows a stack and is none.
NO_STACK_WORDS = frozenset(
    (
        "LOCALIZER",
        "PROJECTION IMAGE",
        "PROJECTION",
        "MIP",
        "MINIP",
        "MAX_IP",
        "MIN_IP",
        "CSA MIP",
        "VOLUME RENDERING",
        "VOLUME_RENDERED",
        "VRT",
        "SSD",
        "3D RENDERING",
        "SCREEN SAVE",
        "SCREENSAVE",
        "DOSE_INFO",
        "DOSE REPORT",
        "MONITORING",
        "CINE",
        "FUSION",
    )
)
#: What is read of a file to tell.
TELLING = (
    "SOPClassUID",
    "ImageType",
    "NumberOfFrames",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "CorrectedImage",
)
TAGS = [Tag(keyword) for keyword in TELLING] + [Tag("PerFrameFunctionalGroupsSequence")]
#: Fewer positions than this are no stack beside one that has as many.
LEAST_POSITIONS = 3

Files = tuple[Header, ...]


def choose_series(
    images: Mapping[str, Files], rule: SeriesRule, modalities: Sequence[str], *, channel: str, name: str
) -> Files:
    """Return the files of the series that is a channel.

    Args:
        images: Files by series.
        rule: Which series is meant.
        modalities: Those whose values can be taken.
        channel: Its name.
        name: What to call the study in messages.

    Raises:
        DicomError: `ambiguous_series`, `localizer`, `missing_channel` or `unsupported_modality`.
    """
    what = str(rule)
    by_rule = [h for h in images.values() if rule.fits(h[0].modality, h[0].description, h[0].body_part, h[0].kernel)]
    fitting = [h for h in by_rule if not all("LOCALIZER" in header.image_type for header in h)]
    if len(fitting) > 1:
        fitting = _stacks(fitting, channel, name)
    if len(fitting) > 1:
        _refuse(
            "ambiguous_series",
            f"Expected one series for channel {channel} ({what}) in {name}, found {len(fitting)}, of "
            f"{' and '.join(str(len(headers)) for headers in fitting)} files. Take out what is not meant, or tell them apart by "
            "series_description, body_part or reconstruction_kernel in ingest.channels.",
        )
    if by_rule and not fitting:
        _refuse(
            "localizer",
            f"Expected a stack of slices for channel {channel} ({what}) in {name}, found only a localizer. Add the series.",
        )
    if not fitting:
        found = sorted({headers[0].modality or "none" for headers in images.values()})
        _refuse(
            "missing_channel" if set(found) & set(modalities) else "unsupported_modality",
            f"Expected a series for channel {channel} ({what}) in {name}, found {len(images)} of modality "
            f"{', '.join(found)}. Add the series, or change the channel's rule.",
        )
    return fitting[0]


def _stacks(fitting: list[Files], channel: str, name: str) -> list[Files]:
    """Leave out, kind by kind, what is no stack, as long as something else stays."""
    seen: dict[str, Any] = {}
    for kind, is_none in NO_STACKS:
        kept = [files for files in fitting if not is_none(files, seen)]
        if len(kept) < len(fitting) and kept:
            note(
                "series_left_out",
                f"Expected one series for channel {channel} in {name}, found {len(fitting)}: {len(fitting) - len(kept)} "
                f"{kind} left out.",
            )
            fitting = kept
    most = max(_n_positions(files, seen) for files in fitting) if len(fitting) > 1 else 0
    kept = [files for files in fitting if _n_positions(files, seen) > 1] if most >= LEAST_POSITIONS else fitting
    if len(kept) < len(fitting):
        note(
            "series_left_out",
            f"Expected one series for channel {channel} in {name}, found {len(fitting)}: {len(fitting) - len(kept)} of one "
            "slice position (monitoring, test bolus, cine?) left out.",
        )
    return kept


def _header(header: Header, seen: dict[str, Any]) -> Any:
    """Read what tells, once a file; None when that can't be done: reading the series says why."""
    if header.path not in seen:
        try:
            with quiet():
                data = pydicom.dcmread(header.path, stop_before_pixels=True, force=True, specific_tags=[*TAGS])
                # Values are decoded as they are asked for.
                is_multiframe(data)
                for keyword in TELLING:
                    str(data.get(keyword))
                int(data.get("SamplesPerPixel") or 1)
                seen[header.path] = data
        except READ_FAULTS as error:
            blame_machine(error)
            seen[header.path] = None
    return seen[header.path]


def _all(test: Callable[[Any, Header], bool]) -> Callable[[Files, dict[str, Any]], bool]:
    """Return whether something holds of every file: of a series in which it holds of some, reading says what is wrong."""

    def holds(files: Files, seen: dict[str, Any]) -> bool:
        return all((data := _header(header, seen)) is not None and test(data, header) for header in files)

    return holds


def _is_color(data: Any, _: Header) -> bool:
    return int(data.get("SamplesPerPixel") or 1) > 1 or "MONOCHROME" not in str(
        data.get("PhotometricInterpretation") or "MONOCHROME2"
    )


def _has_no_place(data: Any, _: Header) -> bool:
    if is_multiframe(data):
        return not data.get("PerFrameFunctionalGroupsSequence")
    return not data.get("ImagePositionPatient") or not data.get("ImageOrientationPatient")


def _is_shown(_: Any, header: Header) -> bool:
    return any(word.strip().upper() in NO_STACK_WORDS for word in header.image_type)


def _is_uncorrected(data: Any, header: Header) -> bool:
    return header.modality == "PT" and "ATTN" not in str(data.get("CorrectedImage") or "ATTN")


#: Kinds, and how each is told.
NO_STACKS = (
    ("in color", _all(_is_color)),
    ("without positions (captures, reports)", _all(_has_no_place)),
    ("of projections, renderings or localizers", _all(_is_shown)),
    ("without attenuation correction", _all(_is_uncorrected)),
)


def _n_positions(files: Files, seen: dict[str, Any]) -> int:
    """Return how many places the slices lie at; those of a multi-frame image are not counted."""
    places = set()
    for header in files:
        data = _header(header, seen)
        if data is None or is_multiframe(data):
            return LEAST_POSITIONS
        places.add(str(data.get("ImagePositionPatient")))
    return len(places)


def _refuse(reason: str, message: str) -> NoReturn:
    raise DicomError(message, reason=reason)
