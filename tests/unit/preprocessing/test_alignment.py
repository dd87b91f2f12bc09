import numpy as np
import pytest
import SimpleITK
from scipy.spatial.transform import Rotation

from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Volume
from lesionflow.errors import InputError
from lesionflow.preprocessing.alignment import align_channels

OBLIQUE = np.array([[0.48, -0.36, 0.8], [-0.64, 0.48, 0.6], [0.6, 0.8, 0.0]])
CT_GRID = Geometry.from_parts((5, 7, 11), (3.0, 0.8, 0.5), (-31.5, 12.25, 400.75), OBLIQUE)
#: Coarser, straight, and larger than the CT on all sides.
PET_GRID = Geometry.from_parts((9, 12, 10), (3.0, 2.0, 2.5), (-38.0, 0.0, 396.0))
CT = Volume(np.random.default_rng(1).normal(0, 100, (1, 5, 7, 11)), CT_GRID)
PET = Volume(np.random.default_rng(2).uniform(1, 9, (1, 9, 12, 10)), PET_GRID)


def itk(volume):
    image = SimpleITK.GetImageFromArray(volume.array[0])
    geometry = volume.geometry
    image.SetSpacing(geometry.spacing_mm[::-1])
    image.SetOrigin(geometry.origin_mm.tolist())
    image.SetDirection(geometry.direction[:, ::-1].ravel().tolist())
    return image


def test_the_reference_is_kept_voxel_for_voxel():
    aligned = align_channels({"CT": CT, "PET": PET}, ("CT", "PET"), "CT", case_id="c-1")
    np.testing.assert_array_equal(aligned.array[0], CT.array[0])
    assert aligned.geometry.same_grid(CT_GRID)


def test_the_other_channel_is_what_simpleitk_makes_of_it():
    aligned = align_channels({"CT": CT, "PET": PET}, ("CT", "PET"), "CT", case_id="c-1")
    expected = SimpleITK.Resample(
        itk(PET), itk(CT), SimpleITK.Transform(), SimpleITK.sitkLinear, float(PET.array.min())
    )
    np.testing.assert_allclose(aligned.array[1], SimpleITK.GetArrayFromImage(expected), atol=1e-4)


def test_channels_come_in_the_order_asked_for():
    aligned = align_channels({"CT": CT, "PET": PET}, ("PET", "CT"), "CT", case_id="c-1")
    np.testing.assert_array_equal(aligned.array[1], CT.array[0])


def test_one_channel_is_itself():
    np.testing.assert_array_equal(align_channels({"CT": CT}, ("CT",), "CT", case_id="c-1").array, CT.array)


def test_where_a_channel_has_no_voxel_its_smallest_value_stands():
    half = Geometry.from_parts((3, 7, 11), (3.0, 0.8, 0.5), CT_GRID.origin_mm, OBLIQUE)
    other = Volume(np.full((1, 3, 7, 11), 5.0) + np.arange(11), half)
    aligned = align_channels({"CT": CT, "PET": other}, ("CT", "PET"), "CT", case_id="c-1")
    np.testing.assert_array_equal(aligned.array[1, :3], other.array[0])
    np.testing.assert_array_equal(aligned.array[1, 4], 5.0)


def test_a_channel_that_covers_too_little_is_refused():
    away = Geometry(PET_GRID.shape, PET_GRID.affine + np.array([[0, 0, 0, 12.0], [0] * 4, [0] * 4, [0] * 4]))
    with pytest.raises(InputError, match="PET of case c-1") as caught:
        align_channels({"CT": CT, "PET": Volume(PET.array, away)}, ("CT", "PET"), "CT", case_id="c-1")
    assert caught.value.reason == "channels_do_not_overlap"


@pytest.mark.parametrize(("channels", "reference"), [(("CT", "PET"), "CT"), (("CT",), "MR")])
def test_a_channel_that_is_not_there_is_refused(channels, reference):
    with pytest.raises(InputError, match="c-1") as caught:
        align_channels({"CT": CT}, channels, reference, case_id="c-1")
    assert caught.value.reason == "missing_channel"


GRADIENT = np.array([0.3, -0.2, 0.7])
TURNED = Rotation.from_euler("xyz", [170, 8, 95], degrees=True).as_matrix()
SOURCE = Geometry.from_parts((5, 7, 11), (3.0, 0.8, 0.5), (10.0, -20.0, 30.0), TURNED)


def _field(geometry: Geometry) -> np.ndarray:
    index = np.stack(np.meshgrid(*map(np.arange, geometry.shape), indexing="ij"), axis=-1)
    return (geometry.to_lps(index) @ GRADIENT + 5.0)[None].astype(np.float32)


def test_channels_are_aligned_in_patient_space_not_by_index() -> None:
    coarse = Geometry.from_parts((4, 5, 6), (4.0, 2.0, 2.0), SOURCE.to_lps([-1, -2, -3]), TURNED)
    volumes = {"CT": Volume(_field(SOURCE), SOURCE), "PET": Volume(_field(coarse), coarse)}
    found = align_channels(volumes, ("CT", "PET"), "CT", case_id="c-1")
    assert found.geometry.same_grid(SOURCE)
    index = SOURCE.to_index(coarse.corners_mm())
    inside = tuple(slice(0, min(n, int(top))) for n, top in zip(SOURCE.shape, index.max(axis=0), strict=True))
    np.testing.assert_allclose(found.array[(1, *inside)], _field(SOURCE)[(0, *inside)], atol=1e-4)


def test_series_of_two_places_are_refused() -> None:
    far = Geometry.from_parts((5, 7, 11), (3.0, 0.8, 0.5), (500.0, 0.0, 0.0), TURNED)
    volumes = {"CT": Volume(_field(SOURCE), SOURCE), "PET": Volume(_field(far), far)}
    with pytest.raises(InputError, match="c-1") as refusal:
        align_channels(volumes, ("CT", "PET"), "CT", case_id="c-1")
    assert refusal.value.reason == "channels_do_not_overlap"


def test_a_missing_channel_is_refused() -> None:
    with pytest.raises(InputError) as refusal:
        align_channels({"CT": Volume(_field(SOURCE), SOURCE)}, ("CT", "PET"), "CT", case_id="c-1")
    assert refusal.value.reason == "missing_channel"
