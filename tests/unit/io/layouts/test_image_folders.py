import numpy as np
import pytest
import SimpleITK
from PIL import Image

from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask, Volume
from lesionflow.errors import InputError
from lesionflow.io.images.nifti import write_mask, write_volume
from lesionflow.io.layouts.image_folders import find_pictures, find_volumes, read_study
from lesionflow.io.rules import ReadingRules, SeriesRule

GRID = Geometry.from_parts((3, 4, 5), (2.0, 0.8, 0.5), (1.0, 2.0, 3.0))
INSIDE = np.arange(60).reshape(3, 4, 5) % 7 == 0
COARSE = Geometry.from_parts((2, 2, 2), (4.0, 2.0, 2.0), (0.0, 0.0, 0.0))


def rules(*channels, labels=None, outlines=()):
    return ReadingRules({c: SeriesRule("") for c in channels}, channels[0], labels or {"tumor": 1}, outlines)


def volume(path, value, grid=GRID):
    write_volume(path, Volume(np.full((1, *grid.shape), float(value)), grid))


def mask(path, labels, grid=GRID):
    write_mask(path, Mask(labels.astype(np.uint8), grid))


def picture(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def read(folder, wanted, find=find_volumes):
    (source,) = find(folder)
    return read_study(source, wanted, name="c-1")


def refusal(folder, wanted, find=find_volumes):
    with pytest.raises(InputError, match="c-1") as caught:
        read(folder, wanted, find)
    return caught.value.reason


def test_channels_by_name_each_on_its_own_grid(tmp_path):
    volume(tmp_path / "p" / "CT.nii.gz", 3)
    volume(tmp_path / "p" / "suv.nii.gz", 4, COARSE)
    mask(tmp_path / "p" / "CT_mask.nii.gz", INSIDE)
    mask(tmp_path / "p" / "suv_mask.nii.gz", np.ones((2, 2, 2)), COARSE)
    study = read(tmp_path, rules("CT", "PET"))
    assert (study.volumes["CT"].array.max(), study.volumes["PET"].array.max()) == (3, 4)
    assert study.volumes["PET"].geometry.same_grid(COARSE)
    np.testing.assert_array_equal(study.mask.labels, INSIDE)


def test_masks_of_one_structure_each_are_told_by_name_and_the_later_label_wins(tmp_path):
    volume(tmp_path / "p" / "ct.nii.gz", 3)
    mask(tmp_path / "p" / "masks" / "kidney_left.nii.gz", INSIDE | (np.arange(60).reshape(3, 4, 5) % 5 == 0))
    mask(tmp_path / "p" / "masks" / "tumor.nii.gz", INSIDE * 255)
    mask(tmp_path / "p" / "masks" / "spleen.nii.gz", np.ones((3, 4, 5)))
    wanted = rules("CT", labels={"kidney": 1, "tumor": 2}, outlines=(("tumor", "tumor"), ("kidney.*", "kidney")))
    labels = read(tmp_path, wanted).mask.labels
    np.testing.assert_array_equal(labels == 2, INSIDE)
    np.testing.assert_array_equal(labels == 1, (np.arange(60).reshape(3, 4, 5) % 5 == 0) & ~INSIDE)


def test_masks_whose_names_say_nothing_are_refused_for_several_labels(tmp_path):
    volume(tmp_path / "p" / "ct.nii.gz", 3)
    for name in ("a", "b"):
        mask(tmp_path / "p" / "masks" / f"{name}.nii.gz", INSIDE)
    assert refusal(tmp_path, rules("CT", labels={"x": 1, "y": 2})) == "ambiguous_outlines"


def test_instances_of_one_structure_are_united(tmp_path):
    """As in DSB2018: an RGBA image, one gray mask a nucleus under a name of its own."""
    gray = np.arange(6 * 9, dtype=np.uint8).reshape(6, 9)
    picture(tmp_path / "f00" / "images" / "f00.png", np.dstack([gray, gray, gray, np.full_like(gray, 255)]))
    picture(tmp_path / "f00" / "masks" / "1a.png", np.where(gray < 5, 255, 0).astype(np.uint8))
    picture(tmp_path / "f00" / "masks" / "2b.png", np.where(gray > 50, 255, 0).astype(np.uint8))
    study = read(tmp_path, rules("gray"), find_pictures)
    np.testing.assert_array_equal(study.volumes["gray"].array[0, 0], gray)
    np.testing.assert_array_equal(study.mask.labels[0], (gray < 5) | (gray > 50))


def test_colors_are_channels_when_asked_for(tmp_path):
    colored = np.arange(6 * 9 * 3, dtype=np.uint8).reshape(6, 9, 3)
    picture(tmp_path / "images" / "a.png", colored)
    picture(tmp_path / "masks" / "a.png", np.zeros((6, 9), np.uint8))
    study = read(tmp_path, rules("blue", "Red"), find_pictures)
    np.testing.assert_array_equal(study.volumes["Red"].array[0, 0], colored[..., 0])
    np.testing.assert_array_equal(study.volumes["blue"].array[0, 0], colored[..., 2])
    only = read(tmp_path, rules("green"), find_pictures)
    np.testing.assert_array_equal(only.volumes["green"].array[0, 0], colored[..., 1])


def test_a_gray_picture_has_no_colors(tmp_path):
    picture(tmp_path / "images" / "a.png", np.zeros((6, 9), np.uint8))
    picture(tmp_path / "masks" / "a.png", np.zeros((6, 9), np.uint8))
    assert refusal(tmp_path, rules("red", "green", "blue"), find_pictures) == "missing_channel"


def test_a_mask_of_another_size_or_place_is_refused(tmp_path):
    picture(tmp_path / "images" / "a.png", np.zeros((6, 9), np.uint8))
    picture(tmp_path / "masks" / "a.png", np.zeros((9, 6), np.uint8))
    assert refusal(tmp_path, rules("gray"), find_pictures) == "geometry_mismatch"


def test_images_without_masks_are_refused(tmp_path):
    volume(tmp_path / "ct.nii.gz", 3)
    assert refusal(tmp_path, rules("CT")) == "no_outline"
    mask(tmp_path / "pet_mask.nii.gz", INSIDE)
    assert refusal(tmp_path, rules("CT")) == "no_outline"


def test_what_has_no_image_or_two_carries_its_fault(tmp_path):
    mask(tmp_path / "masks" / "a.nii.gz", INSIDE)
    volume(tmp_path / "images" / "b.nii.gz", 1)
    volume(tmp_path / "images" / "b.nii", 1)
    mask(tmp_path / "images" / "c.nii.gz", INSIDE)
    faults = {source.key: source.fault and source.fault[0] for source in find_volumes(tmp_path)}
    assert faults == {"a": "mask_without_image", "b": "ambiguous_image", "c": None}


@pytest.mark.parametrize("modality", ["CT", "PT"])
def test_gray_values_of_a_picture_are_neither_hu_nor_suv(tmp_path, modality):
    picture(tmp_path / "images" / "a.png", np.full((6, 9), 77, np.uint8))
    picture(tmp_path / "masks" / "a.png", np.full((6, 9), 255, np.uint8))
    wanted = rules("x")
    assert read(tmp_path, wanted, find_pictures).volumes["x"].array.max() == 77
    wanted = ReadingRules({"x": SeriesRule(modality)}, "x", {"tumor": 1})
    assert refusal(tmp_path, wanted, find_pictures) == "picture_without_unit"


@pytest.mark.parametrize(
    ("image", "name", "inside", "label"),
    [
        ("ct", "tumor_mask", 1, 2),
        ("ct", "tumor_mask", 255, 2),
        ("tumor_7", "tumor_7_mask", 1, 1),
        ("ct", "ct_mask", 1, 1),
    ],
    ids=["called as a structure", "drawn in 255", "the case is called so", "called as the image"],
)
def test_the_only_mask_is_what_it_is_called(tmp_path, image, name, inside, label):
    volume(tmp_path / "p" / f"{image}.nii.gz", 3)
    mask(tmp_path / "p" / f"{name}.nii.gz", INSIDE * inside)
    wanted = rules("CT", labels={"liver": 1, "tumor": 2})
    np.testing.assert_array_equal(read(tmp_path, wanted).mask.labels, INSIDE * label)


def test_segments_that_a_file_names_decide_whatever_the_file_is_called(tmp_path):
    """Slicer's file: 1 is the tumor by its header, and the liver by `ingest.labels`."""
    volume(tmp_path / "p" / "case1.nii.gz", 3)
    image = SimpleITK.ReadImage(tmp_path / "p" / "case1.nii.gz")
    labels = SimpleITK.GetImageFromArray(INSIDE.astype(np.uint8))
    labels.CopyInformation(image)
    for field, text in (("Name", "Tumour"), ("LabelValue", "1"), ("Layer", "0")):
        labels.SetMetaData(f"Segment0_{field}", text)
    SimpleITK.WriteImage(labels, tmp_path / "p" / "case1.seg.nrrd")
    wanted = rules("CT", labels={"liver": 1, "tumor": 2})
    np.testing.assert_array_equal(read(tmp_path, wanted).mask.labels, INSIDE * 2)
