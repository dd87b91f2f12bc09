"""Stack the files of one series into a volume, or say by name why that can't be done right."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.pixels import apply_modality_lut

from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Volume
from lesionflow.errors import DicomError, InputError
from lesionflow.io.dicom.cost import require_affordable, require_grid_affordable
from lesionflow.io.dicom.multiframe import is_multiframe, split_frames
from lesionflow.io.dicom.pet_suv import suv_factor
from lesionflow.io.dicom.pixel_data import decode
from lesionflow.io.dicom.reading import READ_FAULTS, quiet, read_dicom_file
from lesionflow.io.dicom.stacking import locate, refuse
from lesionflow.machine.faults import blame_machine

#: What may hold an image's pixels.
PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
#: Modalities whose values this module knows how to take.
MODALITIES = ("CT", "MR", "PT")
#: What CT may say of its values: HU, or nothing in particular; effective Z, iodine and others are no density.
CT_UNITS = ("HU", "HU_MOD", "US")
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
    """

    volume: Volume
    files: tuple[str, ...]
    frame_of_reference: str
    series_uid: str
    modality: str
    attributes: dict[str, str]


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


def read_headers(paths: tuple[str, ...], *, name: str, spacing_tolerance_fraction: float = 0.01) -> SeriesHeaders:
    """Read what the files of one series say, and forget their pixels one by one.

    Args:
        paths: The files, in any order.
        name: What to call the study in messages.
        spacing_tolerance_fraction: How far slice distances may differ from their median.

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


def read_series(paths: tuple[str, ...], *, name: str, spacing_tolerance_fraction: float = 0.01) -> Series:
    """Read the files of one CT, MR or PET series.

    Args:
        paths: The files, in any order.
        name: What to call the study in messages.
        spacing_tolerance_fraction: How far slice distances may differ from their median.

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
            f"Expected readable attributes in every slice of {name}, found {type(error).__name__}: {error!s:.150}. Export "
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
    factor = suv_factor([slices[i] for i in order], name=name) if str(first.Modality) == "PT" else 1.0
    array = np.empty(geometry.shape, dtype=np.float32)
    for plane, index in zip(array, order, strict=True):
        plane[:] = _pixels(slices[index], name)
        # Its pixels are held three times by now: stored, decoded and taken.
        slices[index] = None
    if factor != 1.0:
        array *= np.float32(factor)
    if not np.isfinite(array).all():
        refuse(
            "non_finite_voxels", f"Expected finite voxels in {name}, found NaN or infinity. Export the series again."
        )
    named = {"manufacturer": "Manufacturer", "institution": "InstitutionName", "sex": "PatientSex"}
    attributes = {name: str(first.get(keyword) or "") for name, keyword in named.items()}
    if age := _age_years(str(first.get("PatientAge") or "")):
        attributes["age_years"] = age
    return Series(
        volume=Volume(array[None], geometry),
        files=tuple(dict.fromkeys(sources[i] for i in order)),
        frame_of_reference=str(first.get("FrameOfReferenceUID") or ""),
        series_uid=str(first.SeriesInstanceUID),
        modality=str(first.Modality),
        attributes=attributes,
    )


def _frames(paths: tuple[str, ...], name: str) -> Iterator[tuple[str, Any, list[Any]]]:
    """Yield each file, its data set, and a data set a slice."""
    file_bytes = sum(Path(path).stat().st_size for path in paths)
    for number, path in enumerate(paths):
        data = read_dicom_file(path, name=name)
        _require_image(data, name)
        if number == 0 or is_multiframe(data):
            require_affordable(data, n_files=len(paths), file_bytes=file_bytes, name=name)
        yield path, data, split_frames(data, name=name) if is_multiframe(data) else [data]


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


def _pixels(data: Any, name: str) -> NDArray[np.float32]:
    try:
        stored = decode(data)
    except READ_FAULTS as error:
        blame_machine(error)
        raise DicomError(
            f"Expected whole pixel data in every slice of {name}, found {type(error).__name__}: {error!s:.150}. "
            "The file is truncated or its compression is unknown: export it again.",
            reason="unreadable_pixels",
        ) from error
    if data.get("ModalityLUTSequence"):
        return _looked_up(stored, data, name)
    slope, intercept = data.get("RescaleSlope"), data.get("RescaleIntercept")
    if slope is None or intercept is None:
        if str(data.Modality) != "MR":
            refuse(
                "missing_rescale", f"Expected rescale slope and intercept in {name}, found none: its unit is unknown."
            )
        slope, intercept = 1.0, 0.0
    units = str(data.get("RescaleType") or "HU")
    if str(data.Modality) == "CT" and units not in CT_UNITS:
        refuse("unsupported_ct_units", f"Expected CT in HU in {name}, found {units:.16}. Export the series in HU.")
    if float(slope) == 0.0:
        refuse("missing_rescale", f"Expected a rescale slope other than 0 in {name}.")
    # MONOCHROME1 says how to show values, not what they are (PS3.3 C.7.6.3.1.2): they are taken as stored.
    with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is refused by name afterwards
        return np.asarray(stored.astype(np.float64) * float(slope) + float(intercept), dtype=np.float32)


def _looked_up(stored: NDArray[Any], data: Any, name: str) -> NDArray[np.float32]:
    """Take values from the modality lookup table, which stands in place of a rescale (PS3.3 C.11.1.1)."""
    kind = str(data.ModalityLUTSequence[0].get("ModalityLUTType") or "")
    if (str(data.Modality), kind) != ("CT", "HU") and str(data.Modality) != "MR":
        refuse(
            "missing_rescale",
            f"Expected a modality lookup table of HU in {name}, found one of {kind or 'no type'}: its unit is unknown.",
        )
    return np.asarray(apply_modality_lut(stored, data), dtype=np.float32)
