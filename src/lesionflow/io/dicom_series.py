"""Stack the files of one series into a volume, or say by name why that can't be done right."""

import math
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from pydicom.pixels import apply_modality_lut

from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Volume
from lesionflow.errors import DicomError
from lesionflow.io.dicom_files import READ_FAULTS, quiet, read_dataset
from lesionflow.io.multiframe import is_multiframe, split_frames
from lesionflow.io.pet_suv import suv_factor
from lesionflow.io.pixel_data import decode

#: What may hold an image's pixels.
PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
#: Modalities whose values this module knows how to take.
MODALITIES = ("CT", "MR", "PT")
#: What CT may say of its values: HU, or nothing in particular; effective Z, iodine and others are no density.
CT_UNITS = ("HU", "HU_MOD", "US")
#: No detector has a wider slice; a forged header would ask for gigabytes.
MAX_SLICE_PIXELS = 1 << 26
#: Numbers in each attribute of a slice's plane.
PLANE_TAGS = {"ImagePositionPatient": 3, "ImageOrientationPatient": 6, "PixelSpacing": 2}
#: Cosines are written with about 6 digits.
COSINE_TOLERANCE = 1e-3
#: An age, and how many of its units make a year.
AGE = re.compile(r"(\d{3})([YMWD])")
UNITS_A_YEAR = {"Y": 1.0, "M": 12.0, "W": 52.18, "D": 365.25}
OLDEST_YEARS = 90
#: How far a slice may lie off the line through the first and last, as a share of a pixel.
LATERAL_TOLERANCE_PIXELS = 0.05
#: Two slices nearer than this share of the median distance lie at one position.
SAME_POSITION_FRACTION = 0.01


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
        order, geometry = _locate(slices, name, spacing_tolerance_fraction)
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
    except DicomError:
        raise
    except READ_FAULTS as error:
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
    order, geometry = _locate(slices, name, tolerance)
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
        _refuse(
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
    for path in paths:
        data = read_dataset(path, name=name)
        _require_image(data, name)
        yield path, data, split_frames(data, name=name) if is_multiframe(data) else [data]


def _age_years(text: str) -> str:
    """Return whole years of an age string (PS3.5 6.2, AS), at most 90: who is older is one of few. Empty when it is none."""
    match = AGE.fullmatch(text.strip())
    return str(min(int(int(match[1]) / UNITS_A_YEAR[match[2]]), OLDEST_YEARS)) if match else ""


def _require_image(data: Any, name: str) -> None:
    if not any(keyword in data for keyword in PIXELS):
        _refuse(
            "unreadable_file",
            f"Expected pixel data in every file of {name}, found none in one: is it cut off? Export the series again.",
        )
    modality = str(data.get("Modality") or "")
    if modality not in MODALITIES:
        _refuse("unsupported_modality", f"Expected one of {', '.join(MODALITIES)} in {name}, found {modality!r:.20}.")
    if int(data.get("SamplesPerPixel") or 1) != 1 or "MONOCHROME" not in str(data.get("PhotometricInterpretation", "")):
        _refuse("not_grayscale", f"Expected gray values in {name}, found {data.get('PhotometricInterpretation')}.")
    if int(data.get("Rows") or 0) * int(data.get("Columns") or 0) > MAX_SLICE_PIXELS:
        _refuse("oversized_image", f"Expected at most {MAX_SLICE_PIXELS} pixels a slice in {name}, found more.")


def _require_plane(data: Any, name: str) -> None:
    if "LOCALIZER" in str(data.get("ImageType", "")):
        _refuse("localizer", f"Expected a stack of slices in {name}, found a localizer among them. Take it out.")
    wrong = [tag for tag, count in PLANE_TAGS.items() if not _is_plane_value(data.get(tag), count)]
    wrong += [tag for tag in ("Rows", "Columns") if not int(data.get(tag) or 0)]
    if wrong:
        _refuse(
            "missing_geometry", f"Expected {', '.join(wrong)} in every slice of {name}, found none. Export it again."
        )


def _is_plane_value(value: Any, count: int) -> bool:
    if value is None or isinstance(value, str) or len(value) != count:
        return False
    return bool(np.isfinite([float(v) for v in value]).all())


def _require_equal(slices: list[Any], name: str) -> None:
    rules = (
        ("mixed_patients", "PatientID", "patients"),
        ("mixed_series", "SeriesInstanceUID", "series"),
        ("mixed_frame_of_reference", "FrameOfReferenceUID", "frames of reference"),
        ("mixed_modality", "Modality", "modalities"),
        ("mixed_size", "Rows", "numbers of rows"),
        ("mixed_size", "Columns", "numbers of columns"),
    )
    for reason, tag, words in rules:
        values = {str(data.get(tag, "")) for data in slices}
        if len(values) > 1:
            _refuse(reason, f"Expected one series in {name}, found {len(values)} {words}. Separate them.")
    for reason, tag, words in (
        ("mixed_orientation", "ImageOrientationPatient", "orientations"),
        ("mixed_pixel_spacing", "PixelSpacing", "pixel spacings"),
    ):
        values_of = np.array([[float(v) for v in data[tag].value] for data in slices])
        if np.abs(values_of - values_of[0]).max() > COSINE_TOLERANCE:
            _refuse(reason, f"Expected parallel slices of one kind in {name}, found several {words}. Separate them.")
    repeated = [n for n in Counter(str(data.SOPInstanceUID) for data in slices).values() if n > 1]
    if repeated:
        _refuse(
            "duplicate_instance",
            f"Expected each instance of {name} once, found {len(repeated)} repeated. Remove copies.",
        )


def _locate(slices: list[Any], name: str, tolerance: float) -> tuple[list[int], Geometry]:
    """Return the order of slices along their normal, and the grid that they make."""
    for data in slices:
        _require_plane(data, name)
    _require_equal(slices, name)
    return _stack_geometry(slices, name, tolerance)


def _stack_geometry(slices: list[Any], name: str, tolerance: float) -> tuple[list[int], Geometry]:
    first = slices[0]
    cosines = np.array([float(v) for v in first.ImageOrientationPatient]).reshape(2, 3)
    if np.abs(cosines @ cosines.T - np.eye(2)).max() > COSINE_TOLERANCE:
        _refuse("invalid_orientation", f"Expected perpendicular unit directions in {name}, found {cosines.tolist()}.")
    # Along a row the column index grows (first triple), along a column the row index grows (second triple).
    along_row, along_column = cosines
    row_spacing, column_spacing = (float(v) for v in first.PixelSpacing)
    if min(row_spacing, column_spacing) <= 0:
        _refuse(
            "missing_geometry", f"Expected pixel spacings > 0 in {name}, found {row_spacing} and {column_spacing} mm."
        )
    normal = np.cross(along_row, along_column)
    positions = np.array([[float(v) for v in data.ImagePositionPatient] for data in slices])
    heights = positions @ normal
    order = [int(i) for i in np.argsort(heights, kind="stable")]
    step = _slice_step(heights[order], slices, name, tolerance)
    _require_straight(positions[order], normal, min(row_spacing, column_spacing), name)
    shape = (len(slices), int(first.Rows), int(first.Columns))
    direction = np.stack([normal, along_column, along_row], axis=1)
    geometry = Geometry.from_parts(shape, (step, row_spacing, column_spacing), positions[order[0]], direction)
    return order, geometry


def _slice_step(heights: NDArray[np.float64], slices: list[Any], name: str, tolerance: float) -> float:
    if len(heights) == 1:
        thickness = slices[0].get("SpacingBetweenSlices") or slices[0].get("SliceThickness")
        if not thickness or not 0 < float(thickness) < math.inf:
            _refuse("missing_geometry", f"Expected a slice thickness in the single slice of {name}, found none.")
        return float(thickness)
    steps = np.diff(heights)
    # The lower median is a distance that occurs: in a short series a gap must not move it.
    step = float(np.sort(steps)[(len(steps) - 1) // 2])
    if step <= 0 or steps.min() < SAME_POSITION_FRACTION * step:
        _refuse(
            "duplicate_slice_position",
            f"Expected each slice of {name} at a position of its own, found several at one (two phases or copies?). "
            "Separate the series.",
        )
    worst = int(np.argmax(np.abs(steps - step)))
    if abs(steps[worst] - step) > tolerance * step:
        ratio = steps[worst] / step
        missing = round(ratio) >= 2 and abs(ratio - round(ratio)) <= tolerance * ratio
        _refuse(
            "missing_slice" if missing else "irregular_spacing",
            f"Expected slices {step:.3f} mm apart within {tolerance:.0%}, found {steps[worst]:.3f} mm between slices "
            f"{worst} and {worst + 1} of {name}"
            + (": a slice is missing. Export the series again." if missing else ". Resample the series evenly."),
        )
    return float((heights[-1] - heights[0]) / (len(heights) - 1))


def _require_straight(positions: NDArray[np.float64], normal: NDArray[np.float64], pixel_mm: float, name: str) -> None:
    lateral = positions - positions[0]
    lateral -= np.outer(lateral @ normal, normal)
    worst = float(np.linalg.norm(lateral, axis=1).max())
    if worst > LATERAL_TOLERANCE_PIXELS * pixel_mm:
        _refuse(
            "gantry_tilt",
            f"Expected slices stacked along their normal in {name}, found them shifted sideways by up to {worst:.2f} mm "
            "(a tilted gantry?). Resample the series to a straight grid.",
        )


def _pixels(data: Any, name: str) -> NDArray[np.float32]:
    try:
        stored = decode(data)
    except READ_FAULTS as error:
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
            _refuse(
                "missing_rescale", f"Expected rescale slope and intercept in {name}, found none: its unit is unknown."
            )
        slope, intercept = 1.0, 0.0
    units = str(data.get("RescaleType") or "HU")
    if str(data.Modality) == "CT" and units not in CT_UNITS:
        _refuse("unsupported_ct_units", f"Expected CT in HU in {name}, found {units:.16}. Export the series in HU.")
    if float(slope) == 0.0:
        _refuse("missing_rescale", f"Expected a rescale slope other than 0 in {name}.")
    # MONOCHROME1 says how to show values, not what they are (PS3.3 C.7.6.3.1.2): they are taken as stored.
    with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is refused by name afterwards
        return np.asarray(stored.astype(np.float64) * float(slope) + float(intercept), dtype=np.float32)


def _looked_up(stored: NDArray[Any], data: Any, name: str) -> NDArray[np.float32]:
    """Take values from the modality lookup table, which stands in place of a rescale (PS3.3 C.11.1.1)."""
    kind = str(data.ModalityLUTSequence[0].get("ModalityLUTType") or "")
    if (str(data.Modality), kind) != ("CT", "HU") and str(data.Modality) != "MR":
        _refuse(
            "missing_rescale",
            f"Expected a modality lookup table of HU in {name}, found one of {kind or 'no type'}: its unit is unknown.",
        )
    return np.asarray(apply_modality_lut(stored, data), dtype=np.float32)


def _refuse(reason: str, message: str) -> NoReturn:
    raise DicomError(message, reason=reason)
