"""The folder of cases that `ingest` writes: nnU-Net's raw layout, a `cases.parquet`, a `dataset.json`.

::

    imagesTr/<case_id>_0000.nii.gz ...   one file a channel, all on one grid
    labelsTr/<case_id>.nii.gz            when the case has a reference
    thumbnails/<case_id>.png             the fullest slice with its outline, to look through
    dataset.json                         nnU-Net's, with our declaration under `lesionflow`
    cases.parquet                        one row a case (`data.dataset.CASE_COLUMNS`)
    rejected.json                        [{case_id, reason, message}]
    notes.json                           [{case_id, code, message}]: what was read all the same; of cases the code alone
"""

import json
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lesionflow.data.case import Case
from lesionflow.data.dataset import IGNORE, Dataset, Target
from lesionflow.data.volume import IGNORED, Volume, require_same_grid
from lesionflow.errors import ArtifactError
from lesionflow.io.files import read_json, replacing_file, write_text
from lesionflow.machine.error_words import plain_words
from lesionflow.machine.faults import blame_machine

if TYPE_CHECKING:
    import pandas as pd

TABLE = "cases.parquet"
DATASET = "dataset.json"
REJECTED = "rejected.json"
NOTES = "notes.json"
#: A group is decoded at once; a case takes 4 kB.
ROWS_A_GROUP = 8192
IMAGES, LABELS, THUMBNAILS = FOLDERS = ("imagesTr", "labelsTr", "thumbnails")


def image_path(folder: Path, case_id: str, channel: int) -> Path:
    """Return where channel number `channel` of a case lies."""
    return folder / IMAGES / f"{case_id}_{channel:04d}.nii.gz"


def mask_path(folder: Path, case_id: str) -> Path:
    """Return where the reference mask of a case lies."""
    return folder / LABELS / f"{case_id}.nii.gz"


def thumbnail_path(folder: Path, case_id: str) -> Path:
    """Return where the small picture of a case lies."""
    return folder / THUMBNAILS / f"{case_id}.png"


def write_dataset(folder: Path, dataset: Dataset, n_cases: int, *, some_ignored: bool = False) -> None:
    """Write `dataset.json` as nnU-Net v2 reads it, with our own declaration beside it.

    Args:
        folder: Of the cases.
        dataset: What they share.
        n_cases: How many there are.
        some_ignored: Some voxels of some masks are not known: `IGNORED` is declared as nnU-Net's `ignore`.
    """
    labels: dict[str, object] = {"background": 0, **dataset.labels}
    if dataset.regions:
        labels = {"background": 0, **{t.name: list(t.labels) for t in dataset.targets}}
    if some_ignored:
        labels[IGNORE] = IGNORED
    content: dict[str, object] = {
        "channel_names": {str(i): name for i, name in enumerate(dataset.channels)},
        "labels": labels,
        "numTraining": n_cases,
        "file_ending": ".nii.gz",
        "name": dataset.name,
        "lesionflow": dataset.model_dump(mode="json"),
    }
    if dataset.regions:
        content["regions_class_order"] = [label_written_for(t, dataset.targets) for t in dataset.targets]
    write_text(folder / DATASET, json.dumps(content, indent=2) + "\n")


def label_written_for(target: Target, targets: tuple[Target, ...]) -> int:
    """Return the label that nnU-Net writes where a region was found and none within it: one that lies in no narrower region.

    Args:
        target: The region.
        targets: All of them.
    """
    narrower = [set(other.labels) for other in targets if set(other.labels) < set(target.labels)]
    rest = [label for label in target.labels if not any(label in other for other in narrower)]
    return rest[0] if rest else max(target.labels)


def read_dataset(folder: Path) -> Dataset:
    """Read our declaration from `dataset.json`.

    Raises:
        ArtifactError: When the folder is not one that `ingest` wrote.
    """
    try:
        content = json.loads((folder / DATASET).read_text(encoding="utf-8"))
        return Dataset.model_validate(content["lesionflow"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        blame_machine(error)
        raise ArtifactError(
            f"Expected cases written by `lesionflow ingest` in {folder}, found: {plain_words(error, within=folder)}. Run ingest."
        ) from error


def ignores_voxels(folder: Path) -> bool:
    """Tell whether some voxels of some masks are not known.

    Raises:
        ArtifactError: When the folder is not one that `ingest` wrote.
    """
    return IGNORE in read_json(folder / DATASET).get("labels", {})


def write_table(folder: Path, table: "pd.DataFrame") -> None:
    """Write `cases.parquet`."""
    with replacing_file(folder / TABLE) as partial:
        table.to_parquet(partial, index=False, row_group_size=ROWS_A_GROUP)


def read_table(folder: Path, name: str = TABLE) -> "pd.DataFrame":
    """Read `cases.parquet`, sorted by `case_id`.

    Args:
        folder: Where it lies.
        name: What it is called there, when it is a copy of another name.

    Raises:
        ArtifactError: When there is none.
    """
    # Worker processes read cases, not the table, and load it in a tenth of the time.
    import pandas as pd
    import pyarrow as pa

    try:
        table = pd.read_parquet(folder / name)
    except (OSError, ValueError) as error:
        blame_machine(error)
        raise ArtifactError(
            f"Expected a case table in {folder}, found: {plain_words(error, within=folder)}. Run ingest."
        ) from error
    # Arrow keeps what decoding took, twice the table, unless it is told to give it back.
    pa.default_memory_pool().release_unused()
    if "case_id" not in table:
        # An empty folder is a table without columns to Arrow.
        raise ArtifactError(f"Expected a case table in {folder}, found one without case_id. Run ingest.")
    # Ingest writes it sorted; to sort again would copy it.
    in_order = table["case_id"].is_monotonic_increasing
    return table if in_order else table.sort_values("case_id", ignore_index=True)


def read_contents(folder: Path) -> dict[str, tuple[str, str]]:
    """Read of `cases.parquet` what each case holds, without loading pandas: the sha256 of its image and of its mask.

    Args:
        folder: Where it lies.

    Returns:
        By case id, sorted.

    Raises:
        ArtifactError: When there is none.
    """
    from pyarrow import parquet

    columns = ["case_id", "image_sha256", "mask_sha256"]
    try:
        # `read_table` would load pyarrow's data sets, and they pandas.
        with parquet.ParquetFile(folder / TABLE) as table:
            rows = table.read(columns).to_pylist()
        return {
            row["case_id"]: (row["image_sha256"], row["mask_sha256"]) for row in sorted(rows, key=itemgetter("case_id"))
        }
    except (OSError, ValueError, KeyError) as error:
        blame_machine(error)
        raise ArtifactError(
            f"Expected a case table in {folder}, found: {plain_words(error, within=folder)}. Run ingest."
        ) from error


def read_patients(folder: Path) -> dict[str, str]:
    """Read of `cases.parquet` whose each case is: the patient's pseudonym by case id, sorted.

    Raises:
        ArtifactError: When there is none.
    """
    table = read_table(folder)
    return dict(zip(table["case_id"], table["patient_id"], strict=True))


def read_case(folder: Path, case_id: str, patient_id: str = "") -> Case:
    """Read one case from the folder.

    Args:
        folder: What `ingest` wrote.
        case_id: Its pseudonym.
        patient_id: The patient's pseudonym, when known.

    Returns:
        The case, with its reference mask when it has one.

    Raises:
        NiftiError: When a file is missing or broken.
        GeometryMismatchError: When the channels do not share a grid.
    """
    # Who reads no voxels loads no nibabel.
    from lesionflow.io.images import nifti

    channels = tuple(read_dataset(folder).channels)
    arrays, grids = zip(
        *(nifti.read_channel(image_path(folder, case_id, i), name=case_id) for i in range(len(channels))), strict=True
    )
    for name, grid in zip(channels[1:], grids[1:], strict=True):
        require_same_grid(grids[0], grid, f"Channels {channels[0]} and {name} of case {case_id}")
    stacked = Volume(np.stack(arrays, dtype=np.float32), grids[0])
    mask_file = mask_path(folder, case_id)
    mask = nifti.read_mask(mask_file, name=case_id) if mask_file.exists() else None
    return Case(case_id, patient_id, channels, stacked, mask)
