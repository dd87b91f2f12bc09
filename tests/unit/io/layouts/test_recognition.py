"""Which layout a folder has: recognized by itself, said, and forceable."""

import json

import numpy as np
import pytest
from PIL import Image

from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask, Volume
from lesionflow.errors import ConfigError, InputError
from lesionflow.io.images.nifti import write_mask, write_volume
from lesionflow.io.layouts.recognition import READERS, recognize
from support.dicom_factory import write_series

GRID = Geometry.from_parts((3, 4, 5), (2.0, 0.8, 0.5), (1.0, 2.0, 3.0))


def volume(path, value=1.0):
    write_volume(path, Volume(np.full((1, 3, 4, 5), value), GRID))


def mask(path):
    write_mask(path, Mask(np.ones((3, 4, 5), np.uint8), GRID))


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((4, 5), np.uint8)).save(path)


def write_decathlon(folder):
    volume(folder / "imagesTr" / "a_001.nii.gz")
    mask(folder / "labelsTr" / "a_001.nii.gz")
    listed = [{"image": "./imagesTr/a_001.nii.gz", "label": "./labelsTr/a_001.nii.gz"}]
    content = {"modality": {"0": "CT"}, "labels": {"0": "background", "1": "tumor"}, "training": listed}
    (folder / "dataset.json").write_text(json.dumps(content))


def write_nnunet(folder):
    """Version 1, whose declaration looks like the Decathlon's but whose files have other names than it lists."""
    write_decathlon(folder)
    (folder / "imagesTr" / "a_001.nii.gz").rename(folder / "imagesTr" / "a_001_0000.nii.gz")


def write_mask_series(folder):
    write_series(folder / "p1" / "PATIENT_DICOM")
    write_series(folder / "p1" / "MASKS_DICOM" / "tumor")


def write_brats(folder):
    for what in ("flair", "t1", "seg"):
        (mask if what == "seg" else volume)(folder / "BraTS19_A_1" / f"BraTS19_A_1_{what}.nii.gz")


LAYOUTS = {
    "decathlon": write_decathlon,
    "nnunet": write_nnunet,
    "mask_series": write_mask_series,
    "dicom": lambda folder: write_series(folder / "p1" / "CT"),
    "brats": write_brats,
    "volumes": lambda folder: (volume(folder / "images" / "a.nii.gz"), mask(folder / "masks" / "a.nii.gz")),
    "pictures": lambda folder: (picture(folder / "images" / "a.png"), picture(folder / "masks" / "a.png")),
}


@pytest.mark.parametrize("name", READERS)
def test_every_layout_is_told_from_all_others(tmp_path, name):
    LAYOUTS[name](tmp_path / "raw")
    layout = recognize(tmp_path / "raw")
    assert (layout.name, layout.folder) == (name, tmp_path / "raw")
    assert [source.fault for source in READERS[name].find(layout.folder)] == [None]


@pytest.mark.parametrize("name", ["decathlon", "nnunet"])
def test_a_declared_layout_is_found_below_folders_that_hold_nothing_else(tmp_path, name):
    LAYOUTS[name](tmp_path / "raw" / "Task06_Lung" / "inner")
    layout = recognize(tmp_path / "raw")
    assert (layout.name, layout.folder) == (name, tmp_path / "raw" / "Task06_Lung" / "inner")


def test_a_layout_can_be_forced(tmp_path):
    write_brats(tmp_path)
    assert recognize(tmp_path, "volumes").name == "volumes"
    with pytest.raises(InputError, match=r"dicom in .*3 \.gz") as caught:
        recognize(tmp_path, "dicom")
    assert caught.value.reason == "another_layout"
    with pytest.raises(ConfigError, match="decathlon, nnunet"):
        recognize(tmp_path, "zarr")


def test_what_lies_there_is_counted(tmp_path):
    write_series(tmp_path / "dicom")
    volume(tmp_path / "nifti" / "a.nii.gz")
    layout = recognize(tmp_path)
    assert (layout.name, dict(layout.endings)) == ("dicom", {".dcm": 5, ".gz": 1})


def test_of_volumes_and_pictures_those_are_taken_that_have_masks(tmp_path):
    LAYOUTS["volumes"](tmp_path / "raw")
    for number in range(3):
        picture(tmp_path / "raw" / "thumbnails" / f"{number}.png")
    assert recognize(tmp_path / "raw").name == "volumes"
    volume(tmp_path / "slices" / "truth" / "a.nii.gz")
    LAYOUTS["pictures"](tmp_path / "slices")
    assert recognize(tmp_path / "slices").name == "pictures"


@pytest.mark.parametrize("name", READERS)
def test_an_empty_folder_has_no_layout(tmp_path, name):
    assert not READERS[name].detect(tmp_path)


def test_layouts_are_recognized(tmp_path, dicom_factory):
    dicom_factory()
    assert recognize(tmp_path / "study").name == "dicom"
    (tmp_path / "nnunet" / "imagesTr").mkdir(parents=True)
    (tmp_path / "nnunet" / "dataset.json").write_text("{}")
    assert recognize(tmp_path / "nnunet").name == "nnunet"


def test_what_is_no_layout_is_refused_with_what_was_seen(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no file") as caught:
        recognize(tmp_path / "empty")
    assert caught.value.reason == "empty_folder"
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "a.xyz").write_text("?")
    with pytest.raises(ValueError, match=r"\.xyz") as caught:
        recognize(tmp_path / "odd")
    assert caught.value.reason == "unknown_layout"
