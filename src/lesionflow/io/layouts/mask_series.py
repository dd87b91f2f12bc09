"""3D-IRCADb's layout: `<case>/PATIENT_DICOM` holds the images, `<case>/MASKS_DICOM/<structure>` a series of masks."""

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask
from lesionflow.errors import DicomError
from lesionflow.io.dicom.pixel_data import decode
from lesionflow.io.dicom.reading import READ_FAULTS, is_dicom, quiet, read_dicom_file
from lesionflow.io.dicom.segments.frame_overlap import slices_apart
from lesionflow.io.dicom.series import read_series
from lesionflow.io.files import find_files
from lesionflow.io.labels import tell_united, unite
from lesionflow.io.notes import took
from lesionflow.io.rules import ReadingRules, ReadStudy, SourceStudy, place
from lesionflow.machine.error_words import plain_words
from lesionflow.machine.faults import blame_machine

IMAGES = re.compile(r"^patient_dicom(\.zip)?$", re.IGNORECASE)
MASKS = re.compile(r"^masks_dicom(\.zip)?$", re.IGNORECASE)
#: How far a mask's pixels may lie from the image's, in voxels.
OFF_GRID_VOXELS = 0.1
IMAGE = "image"


def detect(folder: Path) -> bool:
    """Tell whether a folder has both kinds of folders of one case."""
    return any(len({role == IMAGE for role, _ in files}) == 2 for files in _cases(folder).values())


def find_studies(folder: Path) -> Iterator[SourceStudy]:
    """Yield one study a case; its folder names its patient too, as all patients of the collection share one patient ID."""
    for key, files in sorted(_cases(folder).items()):
        paths = tuple(str(path) for _, path in files)
        yield SourceStudy(key, key, paths, found=files, roles=tuple(role for role, _ in files))


def read_study(source: SourceStudy, rules: ReadingRules, *, name: str) -> ReadStudy:
    """Read one case.

    Args:
        source: From `find_studies`.
        rules: One channel; structures by the names of their folders.
        name: What to call the case in messages.

    Returns:
        The channel and the mask; a wanted structure may have masks on some slices only.

    Raises:
        DicomError: `missing_channel`, `no_outline`, `no_matching_outline`, `outline_off_grid`, `duplicate_slice_position`,
            `unreadable_outline` and all reasons of series.
    """
    images = tuple(str(path) for role, path in source.found if role == IMAGE)
    if len(rules.channels) != 1 or not images:
        _refuse("missing_channel", f"Expected the image of one channel in {name}, found {len(images)} files of one.")
    (channel,) = rules.channels
    series = read_series(images, name=name, spacing_tolerance_fraction=rules.spacing_tolerance_fraction)
    if series.modality != rules.channels[channel].modality:
        _refuse("missing_channel", f"Expected modality {rules.channels[channel].modality} in {name}, found another.")
    structures: dict[str, list[Path]] = defaultdict(list)
    for role, path in source.found:
        if role != IMAGE:
            structures[role].append(path)
    mask = _read_masks(structures, series.volume.geometry, rules, name)
    return ReadStudy({channel: series.volume}, mask, series.files, series.attributes)


def _cases(folder: Path) -> dict[str, list[tuple[str, Path]]]:
    """Return (`image` or `mask <structure>`, file) by case folder."""
    cases: dict[str, list[tuple[str, Path]]] = defaultdict(list)
    for path in find_files(folder):
        parts = path.relative_to(folder).parts
        for number, part in enumerate(parts[:-1]):
            if (IMAGES.match(part) or MASKS.match(part)) and is_dicom(path):
                role = IMAGE if IMAGES.match(part) else parts[-2]
                cases[place(parts[:number]) or "case"].append((role, path))
                break
    return dict(cases)


def _read_masks(structures: dict[str, list[Path]], geometry: Geometry, rules: ReadingRules, name: str) -> Mask:
    if not structures:
        _refuse("no_outline", f"Expected a MASKS_DICOM folder in {name}, found none. Outline it or leave it out.")
    wanted = {structure: label for structure in structures if (label := rules.label_of(structure)) is not None}
    if not wanted:
        _refuse(
            "no_matching_outline",
            f"Expected a structure that ingest.outlines names in {name}, found {', '.join(sorted(structures))}. Add a rule.",
        )
    for structure, label in wanted.items():
        took(rules.called(label), structure)
    try:
        with quiet():
            parts = [(label, _stack(structures[s], geometry, name)) for s, label in sorted(wanted.items())]
    except DicomError:
        raise
    except READ_FAULTS as error:
        blame_machine(error)
        message = f"Expected readable masks in {name}, found {plain_words(error)}. Export them again."
        raise DicomError(message, reason="unreadable_outline") from error
    tell_united(
        ((s, label) for (s, label), (_, inside) in zip(sorted(wanted.items()), parts, strict=True) if inside.any()),
        name,
    )
    return unite(parts, geometry, rules)


def _stack(paths: list[Path], geometry: Geometry, name: str) -> NDArray[np.bool_]:
    inside = np.zeros(geometry.shape, dtype=bool)
    seen: dict[int, bool] = {}
    for path in paths:
        data = read_dicom_file(str(path), name=name)
        plane = _plane(data, geometry, name)
        if plane in seen:
            _refuse("duplicate_slice_position", f"Expected one mask a slice in {name}, found two at one position.")
        inside[plane] = decode(data) > 0
        seen[plane] = bool(inside[plane].any())
    if (n_apart := slices_apart(seen)) > 1:
        _refuse(
            "outline_off_grid",
            f"Expected masks on the slices of the images of {name}, found them on each {n_apart}. of them alone: they were drawn on a "
            "series of thicker slices, and would be striped. Outline this series.",
        )
    return inside


def _plane(data: Any, geometry: Geometry, name: str) -> int:
    """Return the slice of a mask whose every corner lies on that of the image."""
    if (int(data.Rows), int(data.Columns)) != geometry.shape[1:]:
        _refuse("outline_off_grid", f"Expected masks of the size of the images in {name}, found others.")
    position = np.array([float(v) for v in data.ImagePositionPatient])
    along_row, along_column = np.array([float(v) for v in data.ImageOrientationPatient]).reshape(2, 3)
    row_mm, column_mm = (float(v) for v in data.PixelSpacing)
    rows, columns = geometry.shape[1] - 1, geometry.shape[2] - 1
    corners = position + np.array([np.zeros(3), along_column * row_mm * rows, along_row * column_mm * columns])
    index = geometry.to_index(corners)
    plane = round(float(index[0, 0]))
    expected = np.array([[plane, 0, 0], [plane, rows, 0], [plane, 0, columns]])
    if np.abs(index - expected).max() > OFF_GRID_VOXELS or not 0 <= plane < geometry.shape[0]:
        _refuse("outline_off_grid", f"Expected masks on the pixels of the images of {name}, found them elsewhere.")
    return plane


def _refuse(reason: str, message: str) -> NoReturn:
    raise DicomError(message, reason=reason)
