"""Diameters against bodies whose diameters are known, and against all pairs of points."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from lesionflow.data.geometry import Geometry
from lesionflow.metrics.diameters import measure_diameters
from support.dicom_factory import affine_by_hand

SPACING_MM = (3.0, 0.8, 0.5)
SHAPE = (21, 120, 180)
#: Of a pixel the longer side: nothing that lies between pixels can be told better.
PIXEL_MM = 0.8 + 1e-9


def ellipsoid(radii_mm, angle, shape=SHAPE, spacing_mm=SPACING_MM) -> np.ndarray:
    """Radii across slices, along and across a direction that is turned by an angle in each slice."""
    z, y, x = np.meshgrid(
        *[(np.arange(n) - n // 2) * mm for n, mm in zip(shape, spacing_mm, strict=True)], indexing="ij"
    )
    u, v = np.cos(angle) * x + np.sin(angle) * y, -np.sin(angle) * x + np.cos(angle) * y
    return (z / radii_mm[0]) ** 2 + (u / radii_mm[1]) ** 2 + (v / radii_mm[2]) ** 2 <= 1


@pytest.mark.parametrize("angle", [0.0, 0.4, 0.8, 1.2, np.pi / 2, 2.5])
@pytest.mark.parametrize(("long_mm", "short_mm"), [(60.0, 24.0), (40.0, 36.0), (12.0, 6.0)])
def test_an_ellipsoid_has_the_diameters_of_its_middle_slice(angle, long_mm, short_mm):
    geometry = Geometry(SHAPE, affine_by_hand(SPACING_MM))
    region = ellipsoid((20.0, long_mm / 2, short_mm / 2), angle)
    found = measure_diameters(region, geometry)
    assert found.longest_mm == pytest.approx(long_mm, abs=PIXEL_MM)
    # Where both axes are nearly alike the longest may turn; the other is then no shorter than the short one.
    assert found.perpendicular_mm == pytest.approx(short_mm, abs=PIXEL_MM)
    ends = geometry.to_index(np.array([*found.longest, *found.perpendicular]))
    np.testing.assert_allclose(ends[:, 0], ends[0, 0], atol=1e-6)
    # A slice or two beside the middle a short one may be as long, by where its pixels fall.
    assert abs(ends[0, 0] - SHAPE[0] // 2) < 2.5


@pytest.mark.parametrize(("shortest", "longest"), [(3.0, 8.0), (8.0, 20.0), (20.0, 80.0)])
def test_on_the_mean_it_is_wrong_by_about_half_a_pixel(shortest, longest):
    """Of ellipses in any direction and place; lengths in pixels of 1 mm."""
    rng = np.random.default_rng(5)
    geometry = Geometry.from_parts((1, 100, 100), (1.0, 1.0, 1.0))
    errors = []
    for diameter in rng.uniform(shortest, longest, 80):
        angle, (row, column) = rng.uniform(0, np.pi), rng.random(2)
        y, x = np.mgrid[-50:50, -50:50] + np.array([row, column])[:, None, None]
        u, v = np.cos(angle) * x + np.sin(angle) * y, -np.sin(angle) * x + np.cos(angle) * y
        region = (2 * u / diameter) ** 2 + (2 * v / (diameter * rng.uniform(0.5, 1.0))) ** 2 <= 1
        errors.append(measure_diameters(region[None], geometry).longest_mm - diameter)
    assert 0.0 < np.mean(errors) < 0.65


@pytest.mark.parametrize("seed", range(6))
def test_the_longest_is_that_of_all_pairs_of_outline_points_and_the_other_stands_across(seed):
    rng = np.random.default_rng(seed)
    region = rng.random((4, 9, 13)) < 0.25
    region[2, 4, 6] = True
    geometry = Geometry.from_parts(region.shape, (3.0, 0.7, 0.9))
    scale = np.array([0.7, 0.9])
    longest = 0.0
    for plane in region:
        pixels = np.argwhere(plane)
        points = (pixels[:, None] + [(0.5, 0), (-0.5, 0), (0, 0.5), (0, -0.5)]).reshape(-1, 2) * scale
        longest = max(longest, pdist(points).max(initial=0.0))
    found = measure_diameters(region, geometry)
    assert found.longest_mm == pytest.approx(longest)
    (a, b), (c, d) = np.array(found.longest), np.array(found.perpendicular)
    assert (b - a) @ (d - c) == pytest.approx(0.0, abs=1e-9)
    assert found.perpendicular_mm <= found.longest_mm + 1e-9
    assert a[2] == b[2] == c[2] == d[2]


def test_a_part_that_was_cut_out_lies_where_it_lay():
    geometry = Geometry(SHAPE, affine_by_hand(SPACING_MM))
    region = ellipsoid((9.0, 20.0, 8.0), 0.3)
    index = np.argwhere(region)
    low, high = index.min(axis=0), index.max(axis=0) + 1
    cut = region[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    whole, part = measure_diameters(region, geometry), measure_diameters(cut, geometry, tuple(int(n) for n in low))
    np.testing.assert_allclose(part.longest, whole.longest)
    np.testing.assert_allclose(part.perpendicular, whole.perpendicular)


def test_a_single_pixel_is_as_long_as_its_longer_side():
    region = np.zeros((3, 4, 5), bool)
    region[1, 2, 3] = True
    found = measure_diameters(region, Geometry.from_parts(region.shape, SPACING_MM))
    assert (found.longest_mm, found.perpendicular_mm) == pytest.approx((0.8, 0.5))
    np.testing.assert_allclose(sorted(found.longest), [(1.5, 1.2, 3.0), (1.5, 2.0, 3.0)])


@pytest.mark.parametrize("order", [(1, 0, 2), (2, 1, 0), (1, 2, 0)])
def test_a_grid_whose_axes_were_reordered_is_measured_within_the_same_slices(order):
    geometry = Geometry(SHAPE, affine_by_hand(SPACING_MM))
    region = ellipsoid((25.0, 18.0, 9.0), 0.6)
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = geometry.affine[:3, list(order)], geometry.affine[:3, 3]
    other = Geometry(tuple(SHAPE[axis] for axis in order), affine)
    expected = measure_diameters(region, geometry)
    found = measure_diameters(region.transpose(order), other, across=order.index(0))
    assert (found.longest_mm, found.perpendicular_mm) == pytest.approx((expected.longest_mm, expected.perpendicular_mm))
    np.testing.assert_allclose(sorted(found.longest), sorted(expected.longest), atol=1e-6)
