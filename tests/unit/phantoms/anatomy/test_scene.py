import numpy as np
import pytest

from lesionflow.data.geometry import Geometry
from lesionflow.phantoms.anatomy.scene import Scene, TissueBody, render
from lesionflow.phantoms.anatomy.shapes import Ellipsoid, Tube


def test_rendering_puts_a_body_where_pose_and_grid_say() -> None:
    pose = np.eye(4)
    pose[:3, :3] = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    pose[:3, 3] = (5, -7, 11)
    geometry = Geometry.from_parts((13, 17, 19), (3.0, 2.0, 1.5), (-10, -20, -6))
    palette = {"background": {"CT": -1000.0}, "lead": {"CT": 500.0}}
    scene = Scene((TissueBody(Ellipsoid((8.0, 2.0, 0.0), (5, 5, 5)), "lead", 1e-3),), palette, pose)
    image = render(scene, ("CT",), geometry)[0]
    # The pose takes (8, 2, 0) to (-2 + 5, 8 - 7, 0 + 11).
    index = np.stack(np.meshgrid(*map(np.arange, geometry.shape), indexing="ij"), axis=-1)
    expected = np.linalg.norm(geometry.to_lps(index) - (3, 1, 11), axis=-1) < 5
    np.testing.assert_array_equal(image > 0, expected)
    assert expected.sum() > 30


def test_a_soft_edge_is_half_at_the_surface() -> None:
    geometry = Geometry.from_parts((1, 1, 41), (1.0, 1.0, 0.5), (-10, 0, 0))
    palette = {"background": {"CT": 0.0}, "tube": {"CT": 100.0}}
    scene = Scene((TissueBody(Tube((-3, -50, 0), (-3, 50, 0), 5.0), "tube", 4.0),), palette, np.eye(4))
    profile = render(scene, ("CT",), geometry)[0, 0, 0]
    at = {-10 + 0.5 * k: float(v) for k, v in enumerate(profile)}
    assert at[2.0] == pytest.approx(50.0, abs=1e-3)
    assert at[1.0] == pytest.approx(75.0, abs=1e-3)
    assert at[4.5] == 0.0
    assert at[-1.0] == 100.0
