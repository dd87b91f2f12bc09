"""A folder of masks that some method made, one a case: NIfTI, NRRD, MetaImage or DICOM SEG, called by the case's id."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesionflow.data.dataset import Dataset
from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask, require_same_grid
from lesionflow.errors import InputError
from lesionflow.io.dicom.reading import is_dicom, read_dicom_file
from lesionflow.io.dicom.seg import read_regions
from lesionflow.io.files import parse_json
from lesionflow.io.images import image_files
from lesionflow.io.images.segments import named_segments
from lesionflow.io.stores.cases import label_written_for
from lesionflow.machine.faults import blame_machine

DECLARATION = "dataset.json"
SEG_ENDINGS = (".dcm", ".seg")
#: Endings of names, the longest first: 3D Slicer writes `.seg.nrrd`.
ENDINGS = (".seg.nrrd", *image_files.VOLUME_ENDINGS, *SEG_ENDINGS)


def find_masks(folder: Path, case_ids: Sequence[str]) -> dict[str, Path]:
    """Return each case's mask: `<case id><ending>`, or the only file of a folder called `<case id>`.

    Args:
        folder: Of masks. Other files are passed over.
        case_ids: Whose masks are wanted.

    Returns:
        By case id, of those that have one.

    Raises:
        InputError: `missing_folder`; `ambiguous_masks` when a case has several.
    """
    if not folder.is_dir():
        raise InputError("Expected a folder of masks, found none. Check --masks.", reason="missing_folder")
    by_name: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            by_name.setdefault(path.name, []).extend(sorted(one for one in path.iterdir() if _is_mask(one)))
        elif _is_mask(path):
            by_name.setdefault(_name(path), []).append(path)
    found = {case_id: by_name[case_id] for case_id in case_ids if by_name.get(case_id)}
    if several := [case_id for case_id, paths in found.items() if len(paths) > 1]:
        raise InputError(
            f"Expected one mask a case, found several for {', '.join(several[:5])}. Leave one.",
            reason="ambiguous_masks",
        )
    return {case_id: paths[0] for case_id, paths in found.items()}


def read_declaration_beside(folder: Path) -> dict[str, Any]:
    """Return what nnU-Net's `dataset.json` beside its predictions says; nothing where there is none.

    Raises:
        InputError: `broken_dataset_json`.
    """
    path = folder / DECLARATION
    if not path.is_file():
        return {}
    try:
        content = parse_json(path)
    except (OSError, ValueError) as error:
        blame_machine(error)
        raise InputError(
            f"Expected JSON in {DECLARATION} beside the masks, found something else.", reason="broken_dataset_json"
        ) from error
    return content if isinstance(content, dict) else {}


def read_foreign_mask(
    path: Path, grid: Geometry, dataset: Dataset, *, values: Mapping[int, int] | None, name: str
) -> Mask:
    """Read a mask as our labels on the grid of its case.

    Args:
        path: What `find_masks` found.
        grid: Of the case. A mask on another one is refused, never resampled.
        dataset: Labels and regions.
        values: Our label of each value of the file; ours are meant where it is None. Files that name their segments are read by
            these names.
        name: The case's id.

    Returns:
        The mask.

    Raises:
        GeometryMismatchError: When it lies on another grid.
        InputError: `unknown_label`, and all reasons of the readers.
    """
    if is_dicom(path):
        return _by_name(read_regions(read_dicom_file(str(path), name=name), grid, name=name), grid, dataset, name)
    if segments := named_segments(path, name=name):
        layers = image_files.read_layers_on(path, grid, name=name)
        return _by_name({one.name: layers[one.layer] == one.value for one in segments}, grid, dataset, name)
    mask = image_files.read_mask(path, tuple(dataset.labels.values()), name=name)
    require_same_grid(grid, mask.geometry, f"Reference and mask of case {name}")
    ours = {value: value for value in dataset.labels.values()} if values is None else dict(values)
    unknown = sorted(set(np.flatnonzero(np.bincount(mask.labels.ravel())).tolist()) - {0, *ours})
    if unknown:
        raise InputError(
            f"Expected the values 0, {', '.join(map(str, sorted(ours)))} in the mask of case {name}, found {unknown[:8]}. Write labels as "
            f"the workspace numbers them, or put nnU-Net's {DECLARATION} beside the masks.",
            reason="unknown_label",
        )
    table = np.zeros(256, np.uint8)
    table[list(ours)] = list(ours.values())
    return Mask(table[mask.labels], grid)


def _by_name(structures: Mapping[str, NDArray[np.bool_]], grid: Geometry, dataset: Dataset, name: str) -> Mask:
    targets = dataset.targets
    regions = {target.name: label_written_for(target, targets) for target in targets}
    # Labels stand as they are; regions are written widest first, so that a narrower one lies over it.
    order = {**regions, **dataset.labels}
    if unknown := sorted(set(structures) - set(order)):
        raise InputError(
            f"Expected segments called {', '.join(order)} in the mask of case {name}, found {json.dumps(unknown[:8])}. Rename them.",
            reason="unknown_label",
        )
    labels = np.zeros(grid.shape, np.uint8)
    for called, value in order.items():
        if called in structures:
            labels[structures[called]] = value
    return Mask(labels, grid)


def _is_mask(path: Path) -> bool:
    return path.is_file() and path.name.lower().endswith(ENDINGS)


def _name(path: Path) -> str:
    ending = next(ending for ending in ENDINGS if path.name.lower().endswith(ending))
    return path.name[: -len(ending)]
