"""Where the slices of one series lie: their order and grid, or by name why they make none (PS3.3 C.7.6.2)."""

import math
from collections import Counter
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from lesionflow.data.geometry import Geometry
from lesionflow.errors import DicomError
from lesionflow.io.notes import note

#: Numbers in each attribute of a slice's plane.
PLANE_TAGS = {"ImagePositionPatient": 3, "ImageOrientationPatient": 6, "PixelSpacing": 2}
#: No scanner reaches so far; numbers beyond are no positions.
FURTHEST_MM = 1e6
#: Cosines are written with about 6 digits.
COSINE_TOLERANCE = 1e-3
#: How far a slice may lie beside the line through all, as a share of a pixel; and along it beside its place on the even grid,
#: where the params allow less.
LATERAL_TOLERANCE_PIXELS = 0.05
#: Positions are written in hundredths or tenths of a mm, and jitter by as much: what no voxel is harmed by is no fault. As a
#: share of the slice distance (of a pixel, sideways) it stays below what outlines may lie off their slices.
ROUNDING_MM = 0.06
ROUNDING_STEPS, ROUNDING_PIXELS = 0.09, 0.2
#: What tells the volumes of a series apart that holds several: phases, echoes, diffusion weights, parts of complex numbers.
VOLUME_TAGS = (
    "TemporalPositionIdentifier",
    "TriggerTime",
    "AcquisitionNumber",
    "AcquisitionTime",
    "EchoNumbers",
    "EchoTime",
    "InversionTime",
    "DiffusionBValue",
    "ImageType",
    "FrameReferenceTime",
    "KVP",
)
#: Two slices nearer than this share of the median distance lie at one position.
SAME_POSITION_FRACTION = 0.01


def _require_plane(data: Any, name: str) -> None:
    if "LOCALIZER" in str(data.get("ImageType", "")):
        refuse("localizer", f"Expected a stack of slices in {name}, found a localizer among them. Take it out.")
    if "MOSAIC" in str(data.get("ImageType", "")):
        refuse(
            "mosaic",
            f"Expected one slice an image in {name}, found a mosaic: many slices side by side as one picture. Export the series "
            "as single slices, or convert it with dcm2niix.",
        )
    wrong = [tag for tag, count in PLANE_TAGS.items() if not _is_plane_value(data.get(tag), count)]
    wrong += [tag for tag in ("Rows", "Columns") if not int(data.get(tag) or 0)]
    if wrong:
        refuse(
            "missing_geometry", f"Expected {', '.join(wrong)} in every slice of {name}, found none. Export it again."
        )


def _is_plane_value(value: Any, count: int) -> bool:
    if value is None or isinstance(value, str) or len(value) != count:
        return False
    return bool((np.abs([float(v) for v in value]) < FURTHEST_MM).all())


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
        values = {str(data.get(tag, "")).strip() for data in slices}
        if len(values) > 1:
            refuse(reason, f"Expected one series in {name}, found {len(values)} {words}. Separate them.")
    for reason, tag, words in (
        ("mixed_orientation", "ImageOrientationPatient", "orientations"),
        ("mixed_pixel_spacing", "PixelSpacing", "pixel spacings"),
    ):
        values_of = np.array([[float(v) for v in data[tag].value] for data in slices])
        if np.abs(values_of - values_of[0]).max() > COSINE_TOLERANCE:
            refuse(reason, f"Expected parallel slices of one kind in {name}, found several {words}. Separate them.")
    repeated = [n for n in Counter(str(data.SOPInstanceUID) for data in slices).values() if n > 1]
    if repeated:
        refuse(
            "duplicate_instance",
            f"Expected each instance of {name} once, found {len(repeated)} repeated. Remove copies.",
        )


def locate(slices: list[Any], name: str, tolerance: float) -> tuple[list[int], Geometry]:
    """Return the order of slices along their normal, and the grid that they make."""
    for data in slices:
        _require_plane(data, name)
    _require_equal(slices, name)
    return _stack_geometry(slices, name, tolerance)


def _stack_geometry(given: list[Any], name: str, tolerance: float) -> tuple[list[int], Geometry]:
    # By the lowest slice and upwards from here on: what files are called, and so read in which order, changes no bit of the grid.
    order = [int(i) for i in np.argsort(_positions(given) @ _normal(_directions(given[0], name)), kind="stable")]
    slices = [given[i] for i in order]
    directions, positions = _directions(slices[0], name), _positions(slices)
    normal = _normal(directions)
    row_spacing, column_spacing = (float(v) for v in slices[0].PixelSpacing)
    if min(row_spacing, column_spacing) <= 0:
        refuse(
            "missing_geometry", f"Expected pixel spacings > 0 in {name}, found {row_spacing} and {column_spacing} mm."
        )
    step = _slice_step(positions @ normal, slices, name, tolerance)
    _require_straight(positions, normal, min(row_spacing, column_spacing), name)
    # The line through all slices, by least squares: its middle is their mean.
    origin = positions.mean(axis=0) - (len(slices) - 1) / 2.0 * step * normal
    shape = (len(slices), int(slices[0].Rows), int(slices[0].Columns))
    along_row, along_column = directions
    direction = np.stack([normal, along_column, along_row], axis=1)
    return order, Geometry.from_parts(shape, (step, row_spacing, column_spacing), origin, direction)


def _directions(data: Any, name: str) -> NDArray[np.float64]:
    """Return the directions in which the column index grows (along a row) and the row index (along a column), (2, 3)."""
    cosines = np.array([float(v) for v in data.ImageOrientationPatient]).reshape(2, 3)
    if np.abs(cosines @ cosines.T - np.eye(2)).max() > COSINE_TOLERANCE:
        refuse("invalid_orientation", f"Expected perpendicular unit directions in {name}, found {cosines.tolist()}.")
    return cosines


def _normal(directions: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.cross(*directions)


def _positions(slices: list[Any]) -> NDArray[np.float64]:
    return np.array([[float(v) for v in data.ImagePositionPatient] for data in slices])


def _slice_step(heights: NDArray[np.float64], slices: list[Any], name: str, tolerance: float) -> float:
    if len(heights) == 1:
        # Below 0 it says in which order the slices were numbered (PS3.3 C.8.4.15), which does not matter to one.
        apart = abs(float(slices[0].get("SpacingBetweenSlices") or 0.0))
        thickness = apart or float(slices[0].get("SliceThickness") or 0.0)
        if not 0 < thickness < math.inf:
            refuse("missing_geometry", f"Expected a slice thickness in the single slice of {name}, found none.")
        return thickness
    steps = np.diff(heights)
    # The lower median is a distance that occurs: in a short series a gap must not move it.
    step = float(np.sort(steps)[(len(steps) - 1) // 2])
    if step <= 0 or steps.min() < SAME_POSITION_FRACTION * step:
        refuse(
            "duplicate_slice_position",
            f"Expected each slice of {name} at a position of its own, found several at one ({_what_differs(slices)}). "
            "Separate the series.",
        )
    number = np.arange(len(heights)) - (len(heights) - 1) / 2.0
    fitted = float(number @ heights / (number @ number))
    off_mm = np.abs(heights - heights.mean() - number * fitted)
    allowed_mm = max(tolerance * fitted, min(ROUNDING_MM, ROUNDING_STEPS * fitted))
    if off_mm.max() > allowed_mm:
        _refuse_uneven(steps, step, allowed_mm, float(off_mm.max()), name)
    if off_mm.max() > tolerance * fitted:
        note(
            "uneven_positions",
            f"Expected the slices of {name} {fitted:.3f} mm apart within {tolerance:.0%}, found one {off_mm.max():.3f} mm beside "
            "its place: they were taken for even.",
        )
    return fitted


def _refuse_uneven(steps: NDArray[np.float64], step: float, allowed_mm: float, off_mm: float, name: str) -> NoReturn:
    worst = int(np.argmax(np.abs(steps - step)))
    ratio = steps[worst] / step
    missing = round(ratio) >= 2 and abs(ratio - round(ratio)) * step <= 2.0 * allowed_mm * ratio
    refuse(
        "missing_slice" if missing else "irregular_spacing",
        f"Expected each slice of {name} within {allowed_mm:.3f} mm of an even grid, found one {off_mm:.3f} mm beside its place, "
        f"and {steps[worst]:.3f} mm between slices {worst} and {worst + 1} where others are {step:.3f} mm apart"
        + (": a slice is missing. Export the series again." if missing else ". Resample the series evenly."),
    )


def _what_differs(slices: list[Any]) -> str:
    """Say what tells slices at one position apart: the usual dimensions of a series that holds several volumes."""
    told = [tag for tag in VOLUME_TAGS if len({str(data.get(tag) or "") for data in slices}) > 1]
    return f"they differ in {', '.join(told)}" if told else "two phases or copies?"


def _require_straight(positions: NDArray[np.float64], normal: NDArray[np.float64], pixel_mm: float, name: str) -> None:
    lateral = positions - positions.mean(axis=0)
    lateral -= np.outer(lateral @ normal, normal)
    worst = float(np.linalg.norm(lateral, axis=1).max())
    allowed_mm = max(LATERAL_TOLERANCE_PIXELS * pixel_mm, min(ROUNDING_MM, ROUNDING_PIXELS * pixel_mm))
    if worst > allowed_mm:
        refuse(
            "gantry_tilt",
            f"Expected slices of {name} stacked along their normal within {allowed_mm:.3f} mm, found them up to {worst:.2f} mm "
            "beside it (a tilted gantry?). Resample the series to a straight grid.",
        )


def refuse(reason: str, message: str) -> NoReturn:
    """Refuse a series by name."""
    raise DicomError(message, reason=reason)
