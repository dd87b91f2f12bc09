import numpy as np
import pytest
import SimpleITK

from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask
from lesionflow.errors import InputError
from lesionflow.io.images.segments import named_segments
from lesionflow.io.images.written.named_segments_nrrd import read_header_text, read_named_segments, write_named_segments

SHAPE = (5, 7, 11)
TEXT = "Größe\nC:\\x := 1"


def oblique() -> Geometry:
    turn = np.array([[0.8, 0.0, 0.6], [0.0, 1.0, 0.0], [-0.6, 0.0, 0.8]])
    affine = np.eye(4)
    affine[:3, :3] = turn[:, [2, 1, 0]] * (3.0, 0.8, 0.5)
    affine[:3, 3] = (-17.25, 4.0, 121.0)
    return Geometry(SHAPE, affine)


@pytest.fixture
def mask() -> Mask:
    labels = np.zeros(SHAPE, np.uint8)
    labels[1, 2:4, 3:9] = 3
    labels[4, 6, 10] = 1
    return Mask(labels, oblique())


def test_names_of_any_script_and_a_label_that_is_nowhere(mask, tmp_path):
    path = tmp_path / "mask.seg.nrrd"
    write_named_segments(path, mask, {"опухоль": 1, "rim": 3, "empty": 7}, {"note": TEXT})
    assert [(s.name, s.value) for s in named_segments(path, name="it")] == [("опухоль", 1), ("rim", 3), ("empty", 7)]
    image = SimpleITK.ReadImage(path)
    assert image.GetMetaData("Segment2_Extent") == "0 -1 0 -1 0 -1"
    assert image.GetMetaData("Segment1_Extent") == "3 8 2 3 1 1"
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(image), mask.labels)
    by_hand = mask.geometry.to_lps(np.array([4.0, 6.0, 10.0]))
    np.testing.assert_allclose(image.TransformIndexToPhysicalPoint((10, 6, 4)), by_hand, atol=1e-9)


def test_the_same_mask_gives_the_same_bytes_and_is_read_again_whatever_it_is_called(mask, tmp_path):
    for name in ("a.seg.nrrd", "b.bin"):
        write_named_segments(tmp_path / name, mask, {"rim": 3}, {"note": TEXT})
    assert (tmp_path / "a.seg.nrrd").read_bytes() == (tmp_path / "b.bin").read_bytes()
    again = read_named_segments(tmp_path / "b.bin", name="it")
    np.testing.assert_array_equal(again.labels, mask.labels)
    np.testing.assert_allclose(again.geometry.affine, mask.geometry.affine, rtol=1e-14)
    assert read_header_text(tmp_path / "b.bin", "note") == TEXT
    assert not read_header_text(tmp_path / "b.bin", "other")


def test_numbers_that_are_no_labels_are_no_mask(tmp_path):
    image = SimpleITK.GetImageFromArray(np.zeros(SHAPE, np.float32))
    SimpleITK.WriteImage(image, tmp_path / "mask.nrrd")
    with pytest.raises(InputError) as error:
        read_named_segments(tmp_path / "mask.nrrd", name="it")
    assert error.value.reason == "not_a_mask"


def test_a_grid_without_a_known_spacing_says_so(tmp_path):
    flat = Mask(np.ones((1, 3, 4), np.uint8), Geometry((1, 3, 4), np.eye(4), spacing_known=False))
    write_named_segments(tmp_path / "mask.nrrd", flat, {"lesion": 1}, {})
    assert read_header_text(tmp_path / "mask.nrrd", "lesionflow-spacing").startswith("unknown")
    assert b"space units" not in (tmp_path / "mask.nrrd").read_bytes()
