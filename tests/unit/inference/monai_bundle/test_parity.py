"""Figures of two masks counted by hand, and the study that is made: a body in air on the plan's own grid."""

import numpy as np

from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask
from lesionflow.inference.monai_bundle.parity import MaskParity, _compare, write_plain_study
from lesionflow.io.images import nifti
from support.bundles import small_plan


def test_two_masks_by_hand():
    grid = Geometry.from_parts((1, 2, 3), (1.0, 1.0, 1.0))
    found = _compare(
        Mask(np.array([[[1, 1, 0], [2, 0, 0]]]), grid), Mask(np.array([[[1, 0, 1], [1, 0, 0]]]), grid), 0.25
    )
    assert found == MaskParity(n_voxels=6, n_other_voxels=3, dice=4 / 6, n_found=3, max_difference=0.25)


def test_where_it_holds():
    assert MaskParity(1000, 1, 0.99, 200, 1e-3).holds
    assert not MaskParity(1000, 2, 0.999, 200, 0.0).holds
    assert not MaskParity(1000, 0, 0.98, 200, 0.0).holds
    assert not MaskParity(1000, 0, 1.0, 0, float("inf")).holds


def test_the_study_is_a_body_in_air_on_the_plans_grid(tmp_path):
    plan = small_plan().model_copy(update={"spacing_mm": (2.0, 0.8, 0.5), "dimensions": 3, "patch_size": (8, 16, 24)})
    volume = nifti.read_volume(write_plain_study(plan, tmp_path)["CT"], name="the study")
    np.testing.assert_allclose(volume.geometry.spacing_mm, (2.0, 0.8, 0.5), rtol=1e-6)
    body = np.argwhere(volume.array[0] > -500)
    assert (body.min(axis=0).tolist(), (body.max(axis=0) + 1).tolist()) == ([3, 3, 3], [15, 27, 39])
    assert volume.array.shape == (1, 18, 30, 42)
    assert volume.array[0, 9, 15, 21] > volume.array[0, 3, 3, 3]
