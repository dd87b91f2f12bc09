import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from lesionflow.data.dataset import Dataset
from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask, Volume
from lesionflow.errors import ArtifactError, GeometryMismatchError, NiftiError
from lesionflow.io.images.nifti import write_mask, write_volume
from lesionflow.io.stores.cases import (
    image_path,
    mask_path,
    read_case,
    read_contents,
    read_dataset,
    read_patients,
    read_table,
    write_dataset,
    write_table,
)

GRID = Geometry.from_parts((3, 4, 5), (2.0, 0.8, 0.5), (1.0, 2.0, 3.0))
DATASET = Dataset(name="knees", channels={"CT": "ct", "PET": "pet"}, labels={"tumor": 1}, regions={})
REGIONS = Dataset(
    name="brains", channels={"T1": "mr"}, labels={"edema": 1, "core": 2}, regions={"core": (2,), "whole": (1, 2)}
)


@pytest.fixture
def folder(tmp_path):
    write_dataset(tmp_path, DATASET, 1)
    for number in range(2):
        write_volume(image_path(tmp_path, "c-1", number), Volume(np.full((1, 3, 4, 5), float(number)), GRID))
    write_mask(mask_path(tmp_path, "c-1"), Mask(np.ones((3, 4, 5)), GRID))
    return tmp_path


def test_a_case_is_read_with_channels_in_order(folder):
    case = read_case(folder, "c-1", "p-1")
    assert (case.case_id, case.patient_id, case.channels) == ("c-1", "p-1", ("CT", "PET"))
    assert case.volume.array.max(axis=(1, 2, 3)).tolist() == [0.0, 1.0]
    assert case.reference_mask.labels.all()


def test_a_case_may_have_no_mask(folder):
    mask_path(folder, "c-1").unlink()
    assert read_case(folder, "c-1").reference_mask is None


def test_a_channel_that_is_missing_is_refused(folder):
    image_path(folder, "c-1", 1).unlink()
    with pytest.raises(NiftiError, match="c-1"):
        read_case(folder, "c-1")


def test_channels_on_two_grids_are_refused(folder):
    moved = Geometry.from_parts((3, 4, 5), (2.0, 0.8, 0.6), (1.0, 2.0, 3.0))
    write_volume(image_path(folder, "c-1", 1), Volume(np.zeros((1, 3, 4, 5)), moved))
    with pytest.raises(GeometryMismatchError, match="CT and PET of case c-1"):
        read_case(folder, "c-1")


@pytest.mark.parametrize("dataset", [DATASET, REGIONS])
def test_the_declaration_comes_back(tmp_path, dataset):
    write_dataset(tmp_path, dataset, 3)
    assert read_dataset(tmp_path) == dataset
    assert list(read_dataset(tmp_path).channels) == list(dataset.channels)


def test_nnunet_finds_what_it_asks_for(tmp_path):
    write_dataset(tmp_path, REGIONS, 3)
    content = json.loads((tmp_path / "dataset.json").read_text())
    assert content["channel_names"] == {"0": "T1"}
    assert content["labels"] == {"background": 0, "whole": [1, 2], "core": [2]}
    assert (content["numTraining"], content["file_ending"]) == (3, ".nii.gz")
    # Of each region the label that is left when narrower ones are written over it.
    assert content["regions_class_order"] == [1, 2]


@pytest.mark.parametrize("content", [None, "{", "{}", '{"lesionflow": 3}', '{"lesionflow": {"name": "x"}}'])
def test_a_folder_that_ingest_did_not_write_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "dataset.json").write_text(content)
    with pytest.raises(ArtifactError, match="Run ingest"):
        read_dataset(tmp_path)


def test_the_table_comes_back_sorted(tmp_path):
    write_table(tmp_path, pd.DataFrame({"case_id": ["c-2", "c-1"], "tumor_ml": [2.0, 1.0]}))
    assert read_table(tmp_path)["case_id"].tolist() == ["c-1", "c-2"]


def test_what_cases_hold_is_read_without_the_table(tmp_path):
    table = {"case_id": ["c-2", "c-1"], "tumor_ml": [2.0, 1.0], "mask_sha256": ["b", ""], "image_sha256": ["y", "x"]}
    write_table(tmp_path, pd.DataFrame(table))
    assert list(read_contents(tmp_path).items()) == [("c-1", ("x", "")), ("c-2", ("y", "b"))]
    told = f"""
import sys
from pathlib import Path
from lesionflow.io.stores.cases import read_contents
read_contents(Path({str(tmp_path)!r}))
print("pandas" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", told], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"


def test_whose_each_case_is_is_read_from_the_table(tmp_path):
    write_table(tmp_path, pd.DataFrame({"case_id": ["c-2", "c-1", "c-3"], "patient_id": ["p-1", "p-2", "p-1"]}))
    assert list(read_patients(tmp_path).items()) == [("c-1", "p-2"), ("c-2", "p-1"), ("c-3", "p-1")]


def test_what_cases_hold_is_not_in_another_table(tmp_path):
    write_table(tmp_path, pd.DataFrame({"case_id": ["c-1"], "image_sha256": ["x"]}))
    with pytest.raises(ArtifactError, match=r"mask_sha256.*Run ingest"):
        read_contents(tmp_path)


@pytest.mark.parametrize("read", [read_table, read_contents])
def test_no_table_or_a_broken_one_is_refused(tmp_path, read):
    for _ in range(2):
        with pytest.raises(ArtifactError, match="Run ingest"):
            read(tmp_path)
        (tmp_path / "cases.parquet").write_bytes(b"PAR1 broken")


def test_an_empty_folder_in_place_of_the_table_is_refused(tmp_path):
    """Arrow reads it as a table without columns."""
    (tmp_path / "cases.parquet").mkdir()
    with pytest.raises(ArtifactError, match="found one without case_id"):
        read_table(tmp_path)


def test_regions_are_written_with_the_label_that_lies_in_them_alone_and_what_is_ignored_by_its_name(tmp_path):
    """nnU-Net writes the numbers of `regions_class_order` one over the other: edema, necrosis within, enhancing within that."""
    regions = {"ET": (3,), "WT": (1, 2, 3, 4), "TC": (1, 3, 4)}
    labels = {"necrotic_core": 1, "edema": 2, "enhancing_tumor": 3, "non_enhancing_tumor": 4}
    brats = Dataset(name="d", channels={"T1": "mr"}, labels=labels, regions=regions)
    write_dataset(tmp_path, brats, 1, some_ignored=True)
    content = json.loads((tmp_path / "dataset.json").read_text())
    assert content["regions_class_order"] == [2, 1, 3]
    assert content["labels"]["ignore"] == 255
    write_dataset(tmp_path, brats, 1)
    assert "ignore" not in json.loads((tmp_path / "dataset.json").read_text())["labels"]
