"""Outlines of bodies whose cross-sections are circles and rings of known size, on an anisotropic grid."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.path import Path as Polygon

from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask
from lesionflow.phantoms.anatomy.scene import Scene
from lesionflow.phantoms.anatomy.shapes import Ellipsoid
from lesionflow.phantoms.dicom.contours import contours
from lesionflow.phantoms.patient import draw_patient
from lesionflow.phantoms.study import PhantomStudy, Structure

GRID = Geometry.from_parts((9, 60, 90), (3.0, 0.8, 0.5), (-20.0, -24.0, -12.0))
SCENE = Scene((), {}, np.eye(4))
BALL, CORE = Ellipsoid((1.0, 2.0, 0.0), (10.0, 10.0, 10.0)), Ellipsoid((1.0, 2.0, 0.0), (5.0, 5.0, 5.0))


def study(grid=GRID) -> PhantomStudy:
    patient = replace(draw_patient(5, 1, "ct"), geometry=grid)
    truth = Mask(np.zeros(grid.shape, np.uint8), grid)
    return PhantomStudy(patient, {}, truth, SCENE, (), (), {"tumor": 1}, {"tumor": 0.0})


def area_mm2(points: np.ndarray) -> float:
    x, y = points[:, 0], points[:, 1]
    return abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2


def test_every_cross_section_of_a_ball_is_a_circle_in_the_plane_of_its_slice() -> None:
    found = list(contours(study(), Structure("GTV", 1, BALL)))
    # Slices at z = -12, -9, ... 12 mm: the ball of 10 mm reaches the seven from -9 to 9.
    assert [k for k, _ in found] == [1, 2, 3, 4, 5, 6, 7]
    for k, points in found:
        z = -12.0 + 3.0 * k
        np.testing.assert_allclose(points[:, 2], z, atol=1e-6)
        radii = np.hypot(points[:, 0] - 1.0, points[:, 1] - 2.0)
        # Distances along the ray are not exact, and linear between lattice points a tenth of a pixel off.
        np.testing.assert_allclose(radii, np.sqrt(100.0 - z * z), atol=0.12)
        assert area_mm2(points) == pytest.approx(np.pi * (100.0 - z * z), rel=0.02)
        assert not np.array_equal(points[0], points[-1])


def test_a_hole_is_a_contour_of_its_own_and_centers_inside_are_exactly_those_of_the_ring() -> None:
    found = [points for k, points in contours(study(), Structure("GTV", 1, BALL, (CORE,))) if k == 4]
    assert len(found) == 2
    assert sorted(area_mm2(p) for p in found) == pytest.approx([np.pi * 25, np.pi * 100], rel=0.03)
    index = np.stack(np.meshgrid(np.arange(60), np.arange(90), indexing="ij"), axis=-1)
    centers = GRID.to_lps(np.concatenate([np.full((60, 90, 1), 4), index], axis=-1))[..., :2].reshape(-1, 2)
    inside = np.zeros(len(centers), bool)
    for points in found:
        inside ^= Polygon(points[:, :2]).contains_points(centers)
    distance = np.hypot(*(centers - (1.0, 2.0)).T)
    np.testing.assert_array_equal(inside, (distance < 10.0) & (distance > 5.0))


def test_what_the_border_cuts_is_closed_there() -> None:
    half = Geometry.from_parts((9, 60, 42), (3.0, 0.8, 0.5), (-20.0, -24.0, -12.0))
    found = [points for k, points in contours(study(half), Structure("GTV", 1, BALL)) if k == 4]
    assert len(found) == 1
    # Columns end at x = 0.5 mm, half a lattice step before which the contour turns: near half of the circle.
    assert area_mm2(found[0]) == pytest.approx(np.pi * 50 - 0.5 * 20, rel=0.06)
    assert found[0][:, 0].max() <= 0.5 + 0.5


def test_what_is_not_there_has_no_contour() -> None:
    assert list(contours(study(), Structure("GTV", 1, None))) == []
    assert list(contours(study(), Structure("GTV", 1, Ellipsoid((900.0, 0.0, 0.0), (5.0, 5.0, 5.0))))) == []
