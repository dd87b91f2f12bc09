"""Masks of another method, in the formats that people have, written by other libraries."""

import json

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from lesionflow.data.dataset import Dataset
from lesionflow.data.geometry import Geometry
from lesionflow.errors import GeometryMismatchError, InputError
from lesionflow.io.exchange.mask_folder import find_masks, read_declaration_beside, read_foreign_mask
from support.dicom_factory import SHAPE, write_segmentation, write_series

LABELS = Dataset(name="knees", channels={"CT": "ct"}, labels={"tumor": 1, "node": 4}, regions={})
NESTED = Dataset(name="g", channels={"MR": "mr"}, labels={"edema": 2, "core": 1}, regions={"all": (1, 2), "core": (1,)})
GRID = Geometry.from_parts((3, 4, 5), (3.0, 0.8, 0.5), (10.0, -20.0, 5.0))


def write(path, labels, origin=(10.0, -20.0, 5.0)):
    image = sitk.GetImageFromArray(labels)
    image.SetSpacing((0.5, 0.8, 3.0))
    image.SetOrigin(origin)
    path.parent.mkdir(exist_ok=True)
    sitk.WriteImage(image, str(path))
    return path


@pytest.fixture
def drawn():
    labels = np.zeros(GRID.shape, np.uint8)
    labels[0, 1, 2], labels[2, 3, 4] = 1, 4
    return labels


@pytest.mark.parametrize("ending", [".nii.gz", ".nii", ".nrrd", ".mha"])
def test_a_mask_is_found_by_the_cases_id_and_lies_where_it_was_written(tmp_path, drawn, ending):
    write(tmp_path / f"c-1{ending}", drawn)
    write(tmp_path / f"c-10{ending}", drawn)
    (tmp_path / "plans.json").write_text("{}")
    found = find_masks(tmp_path, ["c-1", "c-2"])
    assert list(found) == ["c-1"]
    mask = read_foreign_mask(found["c-1"], GRID, LABELS, values=None, name="c-1")
    assert np.array_equal(mask.labels, drawn)


def test_values_are_translated_where_they_are_told_and_refused_where_not(tmp_path, drawn):
    path = write(tmp_path / "c-1.nii.gz", np.where(drawn == 4, 2, drawn).astype(np.uint8))
    mask = read_foreign_mask(path, GRID, LABELS, values={1: 1, 2: 4}, name="c-1")
    assert np.array_equal(mask.labels, drawn)
    with pytest.raises(InputError, match=r"Expected the values 0, 1, 4 in the mask of case c-1, found \[2\]"):
        read_foreign_mask(path, GRID, LABELS, values=None, name="c-1")


def test_another_grid_is_refused_by_name(tmp_path, drawn):
    path = write(tmp_path / "c-1.nii.gz", drawn, origin=(11.0, -20.0, 5.0))
    with pytest.raises(GeometryMismatchError, match="Reference and mask of case c-1: expected one grid"):
        read_foreign_mask(path, GRID, LABELS, values=None, name="c-1")


def test_segments_of_a_slicer_file_are_told_by_their_names(tmp_path, drawn):
    image = sitk.GetImageFromArray((drawn > 0).astype(np.uint8) * np.where(drawn == 4, 7, 3).astype(np.uint8))
    image.SetSpacing((0.5, 0.8, 3.0))
    image.SetOrigin((10.0, -20.0, 5.0))
    for number, (name, value) in enumerate((("node", 7), ("tumor", 3))):
        for field, text in (("Name", name), ("LabelValue", value), ("Layer", 0)):
            image.SetMetaData(f"Segment{number}_{field}", str(text))
    sitk.WriteImage(image, str(tmp_path / "c-1.seg.nrrd"))
    path = find_masks(tmp_path, ["c-1"])["c-1"]
    assert np.array_equal(read_foreign_mask(path, GRID, LABELS, values=None, name="c-1").labels, drawn)


def test_dicom_segments_may_be_regions_whatever_their_order(tmp_path):
    series = write_series(tmp_path / "series")
    grid = Geometry(SHAPE, series.affine_by_hand)
    core, whole = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    core[1, 2:4, 3:5], whole[0:3, 1:5, 2:6] = True, True
    (tmp_path / "masks/c-1").mkdir(parents=True)
    path = tmp_path / "masks/c-1/any.dcm"
    write_segmentation(path, series, {"core": core, "all": whole})
    assert pydicom.dcmread(path).Modality == "SEG"
    found = find_masks(tmp_path / "masks", ["c-1"])["c-1"]
    mask = read_foreign_mask(found, grid, NESTED, values=None, name="c-1")
    assert np.array_equal(mask.labels, np.where(core, 1, np.where(whole, 2, 0)))
    with pytest.raises(InputError, match="Expected segments called tumor, node in the mask of case c-1"):
        read_foreign_mask(found, grid, LABELS, values=None, name="c-1")


def test_two_masks_of_a_case_and_no_folder_are_refused(tmp_path, drawn):
    write(tmp_path / "c-1.nii.gz", drawn)
    write(tmp_path / "c-1.nrrd", drawn)
    with pytest.raises(InputError, match="found several for c-1"):
        find_masks(tmp_path, ["c-1"])
    with pytest.raises(InputError, match="Expected a folder of masks"):
        find_masks(tmp_path / "absent", ["c-1"])


def test_nnunets_declaration_beside_is_read_or_refused(tmp_path):
    assert read_declaration_beside(tmp_path) == {}
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": {"background": 0}}))
    assert read_declaration_beside(tmp_path)["labels"] == {"background": 0}
    (tmp_path / "dataset.json").write_text("{")
    with pytest.raises(InputError, match="Expected JSON in dataset"):
        read_declaration_beside(tmp_path)
