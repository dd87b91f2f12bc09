import numpy as np
import pytest

from lesionflow.data.geometry import Geometry
from lesionflow.phantoms.anatomy.scene import Scene, inside
from lesionflow.phantoms.anatomy.tumors import draw_blob


@pytest.mark.parametrize("seed", range(4))
def test_volume_of_a_blob_by_counting_fine_voxels(seed: int) -> None:
    blob = draw_blob(np.random.default_rng(seed), 30.0, (4.0, -3.0, 2.0))
    geometry = Geometry.from_parts((91, 101, 111), (0.9, 0.8, 0.7), (-35, -43, -38))
    count = inside(Scene((), {}, np.eye(4)), blob, geometry).sum() * geometry.voxel_volume_ml
    assert count == pytest.approx(30.0, rel=0.01)
    assert blob.volume_ml() == pytest.approx(30.0, rel=1e-6)
