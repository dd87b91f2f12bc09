"""Stack the files of one series into a volume, or say by name why that can't be done right."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Volume
from lesionflow.errors import DicomError, InputError
from lesionflow.io.dicom.multiframe import is_multiframe, split_frames
from lesionflow.io.dicom.pet_suv import patient_weight_kg, suv_factor
from lesionflow.io.dicom.pixel_data import decode
from lesionflow.io.dicom.reading import READ_FAULTS, quiet, read_dicom_file
from lesionflow.io.dicom.relations.concatenations import ConcatenationPart, require_all_parts
from lesionflow.io.dicom.series_cost import require_affordable, require_grid_affordable
from lesionflow.io.dicom.stacking import locate, refuse
from lesionflow.io.dicom.values.image_kinds import tell_kind
from lesionflow.io.dicom.values.plausibility import require_hu, require_suv
from lesionflow.io.dicom.values.rescale import Scale, scales_of, to_values
from lesionflow.io.dicom.values.stored_bits import require_whole_bits, with_air_for_padding
from lesionflow.machine.error_words import plain_words
from lesionflow.machine.faults import blame_machine

#: What may hold an image's pixels.
PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
#: How far a slice may lie beside its place on the even grid, in slice distances, unless params say otherwise.
SPACING_TOLERANCE_FRACTION = 0.01
#: Modalities whose values this module knows how to take.
MODALITIES = ("CT", "MR", "PT")
#: An age, and how many of its units make a year.
AGE = re.compile(r"(\d{3})([YMWD])")
UNITS_A_YEAR = {"Y": 1.0, "M": 12.0, "W": 52.18, "D": 365.25}
OLDEST_YEARS = 90


@dataclass(frozen=True, eq=False)
class Series:
    """A series as a volume: one channel, slices along the normal of the image plane.

    Args:
        volume: HU for CT, SUVbw for PET, the stored scale for MR.
        files: The files, in slice order; one for all slices of a multi-frame image.
        frame_of_reference: Its UID.
        series_uid: Its UID.
        modality: DICOM's (0008,0060).
        attributes: `manufacturer`, `institution`, `sex` and `age_years`, where given; never written as they are.
        acquired: The day, where it can be read; never written as it is.
    """

    volume: Volume
    files: tuple[str, ...]
    frame_of_reference: str
    series_uid: str
    modality: str
    attributes: dict[str, str]
    acquired: date | None = None


@dataclass(frozen=True, eq=False)
class SeriesHeaders:
    """A series without its voxels.

    Args:
        geometry: Of the volume that `read_series` makes of it.
        files: The files, in slice order; one for all slices of a multi-frame image.
        data: Their data sets, without pixels.
        frame_of_reference: Its UID.
    """

    geometry: Geometry
    files: tuple[str, ...]
    data: tuple[Any, ...]
    frame_of_reference: str


def read_headers(
    paths: tuple[str, ...], *, name: str, spacing_tolerance_fraction: float = SPACING_TOLERANCE_FRACTION
) -> SeriesHeaders:
    """Read what the files of one series say, and forget their pixels one by one.

    Args:
        paths: The files, in any order.
        name: What to call the study in messages.
        spacing_tolerance_fraction: How far a slice may lie beside its place on the even grid, in slice distances.

    Returns:
        The series, in the slice order of `read_series`.

    Raises:
        DicomError: With a reason of its own for every fault of its geometry.
    """
    with _named_faults(name):
        data: dict[str, Any] = {}
        slices: list[Any] = []
        sources: list[str] = []
        for path, whole, frames in _frames(paths, name):
            for one in (whole, *frames):
                for keyword in PIXELS:
                    if keyword in one:
                        delattr(one, keyword)
            data[path] = whole
            slices += frames
            sources += [path] * len(frames)
        order, geometry = locate(slices, name, spacing_tolerance_fraction)
        require_grid_affordable(geometry, name=name)
        files = tuple(dict.fromkeys(sources[i] for i in order))
        frame_of_reference = str(slices[order[0]].get("FrameOfReferenceUID") or "")
        return SeriesHeaders(geometry, files, tuple(data[file] for file in files), frame_of_reference)


def read_series(
    paths: tuple[str, ...], *, name: str, spacing_tolerance_fraction: float = SPACING_TOLERANCE_FRACTION
) -> Series:
    """Read the files of one CT, MR or PET series.

    Args:
        paths: The files, in any order.
        name: What to call the study in messages.
        spacing_tolerance_fraction: How far a slice may lie beside its place on the even grid, in slice distances.

    Returns:
        The series; array axes are (slice, row, column), slices ascending along the normal (row direction x column
        direction, DICOM PS3.3 C.7.6.2.1.1).

    Raises:
        DicomError: With a reason of its own for every fault.
    """
    with _named_faults(name):
        return _read_series(paths, name, spacing_tolerance_fraction)


@contextmanager
def _named_faults(name: str) -> Iterator[None]:
    try:
        with quiet():
            yield
    except InputError:
        raise
    except READ_FAULTS as error:
        blame_machine(error)
        raise DicomError(
            f"Expected readable attributes in every slice of {name}, found {plain_words(error)}. Export "
            "the series again.",
            reason="unreadable_file",
        ) from error


def _read_series(paths: tuple[str, ...], name: str, tolerance: float) -> Series:
    slices: list[Any] = []
    sources: list[str] = []
    for path, _, frames in _frames(paths, name):
        slices += frames
        sources += [path] * len(frames)
    order, geometry = locate(slices, name, tolerance)
    require_grid_affordable(geometry, name=name)
    first = slices[order[0]]
    ordered = [slices[i] for i in order]
    factor = suv_factor(ordered, name=name) if str(first.Modality) == "PT" else 1.0
    scales = scales_of(ordered, name=name)
    tell_kind(ordered, name=name)
    del ordered
    array = np.empty(geometry.shape, dtype=np.float32)
    for plane, index, scale in zip(array, order, scales, strict=True):
        plane[:] = _pixels(slices[index], scale, name)
        # Its pixels are held three times by now: stored, decoded and taken.
        slices[index] = None
    if factor != 1.0:
        array *= np.float32(factor)
    _require_plausible(array, first, geometry.voxel_volume_ml, name)
    return Series(
        volume=Volume(array[None], geometry),
        files=tuple(dict.fromkeys(sources[i] for i in order)),
        frame_of_reference=str(first.get("FrameOfReferenceUID") or ""),
        series_uid=str(first.SeriesInstanceUID),
        modality=str(first.Modality),
        attributes=_attributes(first),
        acquired=_acquired(first),
    )


def _attributes(data: Any) -> dict[str, str]:
    named = {"manufacturer": "Manufacturer", "institution": "InstitutionName", "sex": "PatientSex"}
    attributes = {name: _told(data, keyword) for name, keyword in named.items()}
    if age := _age_years(_told(data, "PatientAge")):
        attributes["age_years"] = age
    return attributes


def _acquired(data: Any) -> date | None:
    """Return the day that a slice was taken on."""
    told = (_told(data, keyword).replace(".", "") for keyword in ("AcquisitionDate", "SeriesDate", "StudyDate"))
    try:
        return date.fromisoformat(next(filter(None, told), ""))
    except ValueError:
        return None


def _told(data: Any, keyword: str) -> str:
    """Return what no voxel depends on; empty when it can't be read."""
    try:
        return str(data.get(keyword) or "")
    except READ_FAULTS:
        return ""


def _frames(paths: tuple[str, ...], name: str) -> Iterator[tuple[str, Any, list[Any]]]:
    """Yield each file, its data set, and a data set a slice."""
    file_bytes = sum(Path(path).stat().st_size for path in paths)
    parts = []
    for number, path in enumerate(paths):
        data = read_dicom_file(path, name=name)
        _require_image(data, name)
        has_frames = is_multiframe(data)
        if has_frames:
            parts.append(ConcatenationPart.of(data))
        if number == 0 or has_frames:
            require_affordable(data, n_files=len(paths), file_bytes=file_bytes, name=name)
        yield path, data, split_frames(data, name=name) if has_frames else [data]
    require_all_parts(parts, name=name)


def _age_years(text: str) -> str:
    """Return whole years of an age string (PS3.5 6.2, AS), at most 90: who is older is one of few. Empty when it is none."""
    match = AGE.fullmatch(text.strip())
    return str(min(int(int(match[1]) / UNITS_A_YEAR[match[2]]), OLDEST_YEARS)) if match else ""


def _require_image(data: Any, name: str) -> None:
    if not any(keyword in data for keyword in PIXELS):
        refuse(
            "unreadable_file",
            f"Expected pixel data in every file of {name}, found none in one: is it cut off? Export the series again.",
        )
    modality = str(data.get("Modality") or "")
    if modality not in MODALITIES:
        refuse("unsupported_modality", f"Expected one of {', '.join(MODALITIES)} in {name}, found {modality!r:.20}.")
    if int(data.get("SamplesPerPixel") or 1) != 1 or "MONOCHROME" not in str(data.get("PhotometricInterpretation", "")):
        refuse("not_grayscale", f"Expected gray values in {name}, found {data.get('PhotometricInterpretation')}.")


def _pixels(data: Any, scale: Scale | None, name: str) -> NDArray[np.float32]:
    try:
        stored = decode(data)
    except READ_FAULTS as error:
        blame_machine(error)
        raise DicomError(
            f"Expected whole pixel data in every slice of {name}, found {plain_words(error)}. "
            "The file is truncated or its compression is unknown: export it again.",
            reason="unreadable_pixels",
        ) from error
    require_whole_bits(data, name=name)
    return with_air_for_padding(to_values(stored, data, scale, name=name), stored, data, name=name)


def _require_plausible(array: NDArray[np.float32], first: Any, voxel_ml: float, name: str) -> None:
    """Refuse what can't be read as numbers of its kind."""
    if not np.isfinite(array).all():
        refuse(
            "non_finite_voxels", f"Expected finite voxels in {name}, found NaN or infinity. Export the series again."
        )
    if str(first.Modality) == "CT":
        require_hu(array, name=name)
    if str(first.Modality) == "PT":
        require_suv(array, voxel_ml, patient_weight_kg(first), name=name)
