"""Whether what was written of a mask has its volume and lies where it lies: asked of every DICOM file before it is given out."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import numpy as np
from numpy.typing import NDArray

from lesionflow.data.volume import Mask
from lesionflow.errors import DicomError, MisplacedResultError
from lesionflow.io.dicom.reading import read_dicom_file
from lesionflow.io.dicom.series import SPACING_TOLERANCE_FRACTION
from lesionflow.io.dicom.stacking import LATERAL_TOLERANCE_PIXELS, ROUNDING_MM
from lesionflow.io.dicom.writing.written_places import (
    SEGMENTATION,
    STRUCTURES,
    Measured,
    Patch,
    measure_figures,
    measure_frames,
    measure_outlines,
)

if TYPE_CHECKING:
    from lesionflow.prediction.study import Prediction

#: A decimal string of DICOM has 16 characters: places in it are good to far less.
PLACE_MM = 0.01
#: Volumes in figures are rounded to four digits of ml; lengths to four of mm, coordinates to a float's 24 bits.
VOLUME_ML, LENGTH_MM = 6e-5, 0.01
#: Of an area by coordinates of eight digits.
PART_OF_A_VOXEL = 0.25


def require_in_place(path: Path, prediction: "Prediction") -> None:
    """Refuse a file that does not hold the mask that it was written of, or holds it elsewhere.

    Args:
        path: A DICOM SEG, SR or RT structure set.
        prediction: What it was written of.

    Raises:
        MisplacedResultError: When volume or place differ.
    """
    name, mask = prediction.study.case_id, prediction.segmentation.mask
    regions = {target.name: mask.region(target.labels) for target in prediction.model.bundle.plan.targets}
    kind = "?"
    try:
        data = read_dicom_file(str(path), name=name)
        kind = str(data.get("Modality") or "?")
        if str(data.SOPClassUID) == SEGMENTATION:
            differences = _compare_all(regions, mask, measure_frames(data))
        elif str(data.SOPClassUID) == STRUCTURES:
            differences = _compare_all(regions, mask, measure_outlines(data, _axes(mask)), of_outlines=True)
        else:
            differences = _compare_figures(regions, mask, *measure_figures(data, _finder(prediction)))
    except DicomError as error:
        _refuse(kind, name, str(error))
    if differences:
        _refuse(kind, name, differences)


def _compare_all(
    regions: dict[str, NDArray[np.bool_]], mask: Mask, found: dict[str, list[Patch]], *, of_outlines: bool = False
) -> str:
    if list(found) != list(regions):
        return f"targets {', '.join(found)} instead of {', '.join(regions)}"
    for target, region in regions.items():
        expected = {_place(patch, mask): patch for patch in _patches(region, mask, of_outlines=of_outlines)}
        held = {_place(patch, mask): patch for patch in found[target]}
        if sorted(held) != sorted(expected) or len(held) != len(found[target]):
            return f"{target} on other slices"
        for place, patch in expected.items():
            if said := _compare(patch, held[place], _jitter_mm(mask)):
                return f"{target} on slice {place}: {said}"
    return ""


def _jitter_mm(mask: Mask) -> float:
    """Return how far a slice of a series that could be read may lie beside its place on the even grid, on which the mask is."""
    slice_mm, *pixel_mm = mask.geometry.spacing_mm
    along = max(SPACING_TOLERANCE_FRACTION * slice_mm, ROUNDING_MM)
    return PLACE_MM + math.hypot(along, max(LATERAL_TOLERANCE_PIXELS * max(pixel_mm), ROUNDING_MM))


def _compare(expected: Patch, found: Patch, allowed_mm: float) -> str:
    if abs(expected.n_voxels - found.n_voxels) > PART_OF_A_VOXEL:
        return f"{found.n_voxels:.6g} voxels instead of {expected.n_voxels:.6g}"
    astray = float(np.linalg.norm(expected.center_mm - found.center_mm))
    if not astray <= allowed_mm:
        return f"its center {astray:.3g} mm away"
    astray = float(np.abs(expected.extent_mm - found.extent_mm).max())
    return "" if astray <= allowed_mm else f"its border {astray:.3g} mm away"


def _patches(region: NDArray[np.bool_], mask: Mask, *, of_outlines: bool) -> list[Patch]:
    found = []
    for place in np.flatnonzero(region.any(axis=(1, 2))):
        plane = region[place]
        n = float(np.count_nonzero(plane))
        by_row, by_column = np.count_nonzero(plane, axis=1), np.count_nonzero(plane, axis=0)
        rows, columns = by_row.nonzero()[0], by_column.nonzero()[0]
        center = by_row @ np.arange(len(by_row)) / n, by_column @ np.arange(len(by_column)) / n
        if of_outlines:
            center = _mean_edge(plane)
        index = [(place, *center), (place, rows[0], columns[0]), (place, rows[-1], columns[-1])]
        places = mask.geometry.to_lps(np.array(index, dtype=np.float64))
        found.append(Patch(n, places[0], places[1:]))
    return found


def _mean_edge(plane: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the mean place of the middles of edges between voxels inside and outside, (row, column)."""
    padded = np.pad(plane, 1)
    down, along = np.argwhere(np.diff(padded, axis=0)), np.argwhere(np.diff(padded, axis=1))
    # Padded by one, and half a voxel on.
    row, column = (down.sum(axis=0) + along.sum(axis=0) + (len(down) / 2, len(along) / 2)) / (
        len(down) + len(along)
    ) - 1
    return float(row), float(column)


def _place(patch: Patch, mask: Mask) -> int:
    return round(float(mask.geometry.to_index(patch.center_mm)[0]))


def _axes(mask: Mask) -> NDArray[np.float64]:
    origin, row, column = mask.geometry.to_lps(np.array([(0.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)]))
    return np.array([row - origin, column - origin])


def _compare_figures(
    regions: dict[str, NDArray[np.bool_]], mask: Mask, volumes: dict[str, float], lesions: list[Measured]
) -> str:
    if list(volumes) != list(regions):
        return f"targets {', '.join(volumes)} instead of {', '.join(regions)}"
    for target, region in regions.items():
        expected = np.count_nonzero(region) * mask.geometry.voxel_volume_ml
        if abs(volumes[target] - expected) > VOLUME_ML:
            return f"{target} of {volumes[target]:.6g} ml instead of {expected:.6g}"
    for lesion in lesions:
        length = float(np.linalg.norm(lesion.ends_mm[1] - lesion.ends_mm[0]))
        if abs(length - lesion.length_mm) > LENGTH_MM:
            return f"a lesion of {lesion.target} {lesion.length_mm:.6g} mm long whose line is {length:.6g}"
        for end in mask.geometry.to_index(lesion.ends_mm) if lesion.is_long else ():
            if not _is_border(regions[lesion.target], end):
                return f"the long axis of a lesion of {lesion.target} beside it"
    return ""


def _is_border(region: NDArray[np.bool_], end: NDArray[np.float64]) -> bool:
    """Tell whether a place is the middle of an edge between a voxel inside and one outside, of its slice."""
    halves = np.round(2 * end).astype(int)
    if np.abs(2 * end - halves).max() > 0.1 or halves[0] % 2 or (halves[1] + halves[2]) % 2 == 0:
        return False
    sides = (halves[1:] // 2, -(-halves[1:] // 2))
    limits = np.array(region.shape[1:])
    inside = [bool((at >= 0).all() and (at < limits).all() and region[halves[0] // 2, at[0], at[1]]) for at in sides]
    return inside[0] != inside[1]


def _finder(prediction: "Prediction") -> Callable[[str], Path]:
    """Return what tells the file of the image that each lesion's line should be drawn on, by where the line lies."""
    from lesionflow.io.dicom.writing.measurement_report import MOST_LESIONS

    geometry, files = prediction.segmentation.mask.geometry, prediction.study.reference_files
    told = [lesion for finding in prediction.segmentation.findings for lesion in finding.lesions[:MOST_LESIONS]]
    lines = [line for lesion in told if (wide := lesion.diameters) for line in (wide.longest, wide.perpendicular)]
    places = iter([round(float(geometry.to_index(np.array(line))[0, 0])) for line in lines])
    return lambda _: Path(files[next(places) if len(files) > 1 else 0])


def _refuse(kind: str, name: str, found: str) -> NoReturn:
    raise MisplacedResultError(
        f"Expected the {kind} of {name} to have the volume and the place of its mask, found {found}. It was not given out; please report this."
    )
