import numpy as np
import pytest
import SimpleITK

from lesionflow.errors import InputError
from lesionflow.io.images import image_files
from lesionflow.io.images.itk import read
from support.dicom_factory import ORIGIN_MM, SHAPE, SPACING_MM, affine_by_hand, stored_values

VALUES = stored_values()
AFFINE = affine_by_hand()


@pytest.fixture
def image():
    """As another program writes it, by its own words for direction, spacing and origin."""
    made = SimpleITK.GetImageFromArray(VALUES)
    cosines = AFFINE[:3, :3] / np.array(SPACING_MM)
    made.SetDirection(cosines[:, ::-1].ravel().tolist())
    made.SetSpacing(SPACING_MM[::-1])
    made.SetOrigin(ORIGIN_MM)
    return made


def refusal(path):
    with pytest.raises(InputError, match="c-1") as caught:
        read(path, "c-1")
    return caught.value.reason


@pytest.mark.parametrize("ending", ["nrrd", "nhdr", "mha", "mhd"])
@pytest.mark.parametrize("compressed", [False, True])
def test_voxels_and_places_are_those_written(tmp_path, image, ending, compressed):
    SimpleITK.WriteImage(image, str(tmp_path / f"a.{ending}"), useCompression=compressed)
    volume = image_files.read_volume(tmp_path / f"a.{ending}", name="c-1")
    np.testing.assert_array_equal(volume.array[0], VALUES)
    np.testing.assert_allclose(volume.geometry.affine, AFFINE, atol=1e-6)


def test_masks_are_whole_numbers(tmp_path, image):
    SimpleITK.WriteImage(SimpleITK.Cast(image > 1500, SimpleITK.sitkFloat32), str(tmp_path / "a.mha"))
    labels = image_files.read_mask(tmp_path / "a.mha", (1,), name="c-1").labels
    np.testing.assert_array_equal(labels, VALUES > 1500)
    SimpleITK.WriteImage(SimpleITK.Cast(image, SimpleITK.sitkFloat32) * 0.1, str(tmp_path / "b.mha"))
    with pytest.raises(InputError) as caught:
        image_files.read_mask(tmp_path / "b.mha", (1,), name="c-1")
    assert caught.value.reason == "not_labels"


def test_several_channels_are_told_by_number(tmp_path, image):
    SimpleITK.WriteImage(SimpleITK.Compose(image, image + 5), str(tmp_path / "a.nrrd"))
    volumes = image_files.read_channels(tmp_path / "a.nrrd", name="c-1")
    assert {name: v.array[0, 1, 2, 3] - VALUES[1, 2, 3] for name, v in volumes.items()} == {"0": 0, "1": 5}
    with pytest.raises(InputError) as caught:
        image_files.read_volume(tmp_path / "a.nrrd", name="c-1")
    assert caught.value.reason == "not_three_dimensional"


def test_a_file_that_does_not_say_where_its_voxels_lie_is_refused(tmp_path):
    head = "NRRD0004\ntype: short\ndimension: 3\nsizes: 11 7 5\nendian: little\nencoding: raw\n\n"
    (tmp_path / "a.nrrd").write_bytes(head.encode() + VALUES.tobytes())
    assert refusal(tmp_path / "a.nrrd") == "missing_geometry"
    head = "ObjectType = Image\nNDims = 3\nDimSize = 11 7 5\nElementType = MET_SHORT\nElementDataFile = LOCAL\n"
    (tmp_path / "a.mha").write_bytes(head.encode() + VALUES.tobytes())
    assert refusal(tmp_path / "a.mha") == "missing_geometry"


def test_two_dimensions_complex_numbers_and_broken_files_are_refused(tmp_path, image):
    SimpleITK.WriteImage(image[:, :, 2], str(tmp_path / "flat.mha"))
    assert refusal(tmp_path / "flat.mha") == "not_three_dimensional"
    SimpleITK.WriteImage(image, str(tmp_path / "cut.mha"), useCompression=True)
    (tmp_path / "cut.mha").write_bytes((tmp_path / "cut.mha").read_bytes()[:-99])
    assert refusal(tmp_path / "cut.mha") == "unreadable_image"


def test_a_header_that_claims_too_much_is_refused_unread(tmp_path, image):
    SimpleITK.WriteImage(image, str(tmp_path / "a.mha"))
    content = (tmp_path / "a.mha").read_bytes().replace(b"DimSize = 11 7 5", b"DimSize = 9999 9999 9999")
    (tmp_path / "a.mha").write_bytes(content)
    assert refusal(tmp_path / "a.mha") == "oversized_image"


def test_the_shape_is_not_symmetric():
    assert len(set(SHAPE)) == 3
