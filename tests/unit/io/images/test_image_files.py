"""One door for every kind of image file: endings, channels, units, masks."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from PIL import Image

from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Volume
from lesionflow.errors import InputError
from lesionflow.io.images.image_files import (
    ending,
    read_channels,
    read_layers_on,
    read_mask,
    read_volume,
    require_unit,
    stem,
)
from lesionflow.io.images.nifti import write_volume
from lesionflow.io.notes import collected

GEOMETRY = Geometry.from_parts((2, 3, 4), (3.0, 0.8, 0.5), (1.0, -2.0, 3.0))


def write(path: Path, array: np.ndarray) -> Path:
    image = SimpleITK.GetImageFromArray(array)
    image.SetSpacing((0.5, 0.8, 3.0))
    SimpleITK.WriteImage(image, str(path))
    return path


@pytest.mark.parametrize(
    ("name", "known", "bare"),
    [
        ("a.nii.gz", ".nii.gz", "a"), ("A.NII.GZ", ".nii.gz", "A"), ("a.b.nii", ".nii", "a.b"), ("x.PNG", ".png", "x"),
        ("a.mha", ".mha", "a"), ("scan.dcm", "", "scan"), ("README", "", "README"), ("a.gz", "", "a"),
    ],
)  # fmt: skip
def test_endings_are_told_whatever_their_case(name: str, known: str, bare: str) -> None:
    assert (ending(Path(name)), stem(Path(name))) == (known, bare)


def test_a_nifti_is_one_channel_without_a_name(tmp_path: Path) -> None:
    array = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4)
    write_volume(tmp_path / "a.nii.gz", Volume(array, GEOMETRY))
    (name, volume), *others = read_channels(tmp_path / "a.nii.gz", name="c-1").items()
    assert (name, others) == ("", [])
    np.testing.assert_array_equal(volume.array, array)
    assert volume.geometry.same_grid(GEOMETRY)


def test_a_picture_is_its_colors_and_its_gray_stands_for_one_channel(tmp_path: Path) -> None:
    gray = np.arange(12, dtype=np.uint8).reshape(3, 4)
    Image.fromarray(gray).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_volume(tmp_path / "a.png", name="c-1").array[0, 0], gray)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("words")
    with pytest.raises(InputError) as refused:
        read_channels(tmp_path / "a.txt", name="c-1")
    assert refused.value.reason == "unknown_image"
    assert "c-1" in str(refused.value)


@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_one_voxel_that_is_no_number_is_refused(tmp_path: Path, odd: float) -> None:
    array = np.zeros((2, 3, 4), np.float32)
    array[1, 2, 3] = odd
    with pytest.raises(InputError) as refused:
        read_channels(write(tmp_path / "a.mha", array), name="c-1")
    assert refused.value.reason == "non_finite_voxels"


@pytest.mark.parametrize(
    ("name", "modality", "refused"),
    [("a.png", "CT", True), ("a.png", "PT", True), ("a.png", "OT", False), ("a.png", "MR", False), ("a.nii", "CT", False)],
)  # fmt: skip
def test_gray_values_are_no_hounsfield_units(name: str, modality: str, refused: bool) -> None:  # noqa: FBT001
    if not refused:
        require_unit(Path(name), modality, name="c-1")
        return
    with pytest.raises(InputError) as found:
        require_unit(Path(name), modality, name="c-1")
    assert found.value.reason == "picture_without_unit"


@pytest.mark.parametrize("value", [0.5, -1.0, 256.0])
def test_a_mask_of_probabilities_or_of_values_beyond_bytes_is_refused(tmp_path: Path, value: float) -> None:
    array = np.zeros((2, 3, 4), np.float32)
    array[0, 1, 2] = value
    with pytest.raises(InputError) as refused:
        read_mask(write(tmp_path / "a.mha", array), (1,), name="c-1")
    assert refused.value.reason == "not_labels"


def test_whole_labels_of_a_float_file_are_labels_at_their_place(tmp_path: Path) -> None:
    array = np.zeros((2, 3, 4), np.float32)
    array[0, 1, 2], array[1, 2, 3] = 3.0, 255.0
    mask = read_mask(write(tmp_path / "a.mha", array), (3, 255), name="c-1")
    np.testing.assert_array_equal(mask.labels, array)
    assert mask.geometry.spacing_mm == pytest.approx((3.0, 0.8, 0.5))


def test_layers_stored_the_other_way_round_are_turned_to_their_image(tmp_path):
    marked = np.zeros((4, 5, 6), np.uint8)
    marked[1, 2, 3] = 1
    grid = Geometry.from_parts(marked.shape, (4.0, 3.0, 2.0), (-10.0, -20.0, 30.0))
    # Columns run down from the sixth, which lies 5 x 2 mm further on.
    image = SimpleITK.GetImageFromArray(marked[:, :, ::-1].copy())
    image.SetSpacing((2.0, 3.0, 4.0))
    image.SetOrigin((0.0, -20.0, 30.0))
    image.SetDirection((-1, 0, 0, 0, 1, 0, 0, 0, 1))
    SimpleITK.WriteImage(image, str(tmp_path / "a.seg.nrrd"))
    (layer,) = read_layers_on(tmp_path / "a.seg.nrrd", grid, name="c-1")
    assert np.argwhere(layer).tolist() == [[1, 2, 3]]


def test_colors_that_are_not_used_are_spoken_of(tmp_path):
    colored = np.zeros((4, 5, 3), np.uint8)
    colored[1, 2] = (0, 255, 0)
    for name, pixels, expected in (
        ("a.png", colored, ["color_turned_gray"]),
        ("b.png", colored[..., [1, 1, 1]], []),
    ):
        Image.fromarray(pixels).save(tmp_path / name)
        with collected() as notes:
            read_volume(tmp_path / name, name="c-1")
        assert [note.code for note in notes] == expected
