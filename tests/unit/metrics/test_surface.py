"""Surface distances against numbers counted by hand, DeepMind's surface-distance and MONAI."""

import math

import numpy as np
import pytest
import torch
from monai.metrics import compute_surface_dice

from lesionflow.metrics import score_pair
from lesionflow.metrics.surface import measure_surfaces
from support.masks import SPACING_MM, box, boxes

REFERENCE = box((2, 2, 2), (4, 6, 8))
PREDICTED = box((2, 3, 2), (4, 7, 8))  # shifted by one row


def test_a_shift_by_one_row_is_a_hausdorff_distance_of_one_row() -> None:
    found = score_pair(REFERENCE, PREDICTED, SPACING_MM)
    assert found["hd_mm"] == pytest.approx(0.8)
    assert found["surface_dice_2mm"] == 1.0


def test_a_shift_by_one_slice_lies_outside_the_tolerance() -> None:
    # The lower half of either surface lies one slice (3 mm) from the other, the upper half on it.
    found = score_pair(box((2, 2, 2), (3, 4, 4)), box((3, 2, 2), (4, 4, 4)), SPACING_MM)
    assert found["hd95_mm"] == found["hd_mm"] == pytest.approx(3.0)
    assert found["assd_mm"] == pytest.approx(1.5)
    assert found["surface_dice_2mm"] == pytest.approx(0.5)


def _ellipsoid(center_mm, radii_mm, shape=(23, 71, 97)) -> np.ndarray:
    grid = np.ogrid[tuple(slice(0, n) for n in shape)]
    parts = zip(grid, SPACING_MM, center_mm, radii_mm, strict=True)
    return sum(((places * spacing - center) / radius) ** 2 for places, spacing, center, radius in parts) <= 1


def _noise(seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return tuple(random.random((7, 12, 9)) > 0.7 for _ in range(2))


BALL = _ellipsoid((33, 28, 24), (18, 14, 11))


SURFACE = ("hd_mm", "hd95_mm", "assd_mm", "surface_dice_1mm", "surface_dice_2mm", "surface_dice_5mm")


@pytest.mark.parametrize(
    ("masks", "expected"),
    [
        ((BALL, _ellipsoid((36, 30, 25), (18, 14, 11))), (6.0, 3.104835, 1.215101, 0.536876, 0.760019, 0.999759)),
        ((BALL, _ellipsoid((33, 28, 24), (21, 16, 14))), (3.448188, 3.104835, 2.114813, 0.106569, 0.449804, 1.0)),
        (
            (_ellipsoid((0, 0, 0), (18, 14, 11)), _ellipsoid((0, 0, 0), (24, 17, 12))),
            (6.053098, 4.124318, 1.085848, 0.61554, 0.763299, 0.97985),
        ),
        (_noise(7), (1.5, 0.5, 0.069432, 0.999577, 1.0, 1.0)),
        (
            (_ellipsoid((0, 28, 24), (5, 14, 11), (1, 71, 97)), _ellipsoid((0, 31, 25), (5, 14, 11), (1, 71, 97))),
            (3.352611, 3.2, 1.653297, 0.3594, 0.610642, 1.0),
        ),
    ],
    ids=["shifted", "grown", "at the corner of the image", "touching at edges and corners", "a 2D image"],
)
def test_surface_metrics_equal_deepminds(masks, expected) -> None:
    # Figures of the package surface-distance 0.1 (its 2D functions for the 2D image), both directions' mean distances
    # weighted by their areas.
    found = score_pair(*masks, SPACING_MM)
    assert [found[name] for name in SURFACE] == pytest.approx(expected, abs=1e-6)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(3))
def test_surface_dice_equals_monais_with_subvoxels(seed: int) -> None:
    one, other = (np.pad(mask, 2) for mask in _noise(seed))
    as_batch = [torch.from_numpy(mask[None, None].astype(np.float32)) for mask in (other, one)]
    settings = {"include_background": True, "spacing": SPACING_MM, "use_subvoxels": True}
    for name, tolerance in (("surface_dice_1mm", 1.0), ("surface_dice_2mm", 2.0)):
        theirs = compute_surface_dice(*as_batch, class_thresholds=[tolerance], **settings)
        assert score_pair(one, other, SPACING_MM)[name] == pytest.approx(float(theirs), abs=1e-5)


def test_distances_equal_those_of_every_corner_to_every_corner() -> None:
    # Without tree or codes: a corner lies on the surface when the eight voxels around it are not all alike.
    one, other = _noise(3)
    found = score_pair(one, other, SPACING_MM)
    corners = []
    for mask in (one, other):
        around = np.stack([np.roll(np.pad(mask, 1), shift, (0, 1, 2)) for shift in np.ndindex(2, 2, 2)])
        corners.append(np.argwhere(around.any(axis=0) & ~around.all(axis=0)) * np.array(SPACING_MM))
    apart = np.linalg.norm(corners[0][:, None] - corners[1][None], axis=2)
    assert found["hd_mm"] == pytest.approx(max(apart.min(axis=0).max(), apart.min(axis=1).max()))


def test_the_area_of_a_box_by_hand() -> None:
    # 3 x 4 x 5 voxels. A face's inner corners have a voxel's face each, marching cubes cut off the twelve edges and the
    # eight vertices half a voxel wide.
    block = box((0, 0, 0), (3, 4, 5))
    (a, b, c), inner = SPACING_MM, (2, 3, 4)
    faces = 2 * (inner[0] * inner[1] * a * b + inner[0] * inner[2] * a * c + inner[1] * inner[2] * b * c)
    edges = (
        4 * (inner[0] * a * math.hypot(b, c) + inner[1] * b * math.hypot(a, c) + inner[2] * c * math.hypot(a, b)) / 2
    )
    vertices = 8 * math.sqrt((a * b) ** 2 + (a * c) ** 2 + (b * c) ** 2) / 8
    assert measure_surfaces(block, block, SPACING_MM).reference_mm2.sum() == pytest.approx(faces + edges + vertices)


def test_a_2d_image_has_an_outline_and_no_top() -> None:
    # Two discs of one image, apart by nothing but their outlines: with tops, all of their insides would count as near.
    whole, half = box((0, 1, 1), (1, 10, 12), (1, 11, 13)), box((0, 1, 1), (1, 5, 12), (1, 11, 13))
    flat = score_pair(whole, half, (1.0, 1.0, 1.0))
    # Five rows of difference: the far side is 5 mm away, and beside it the two sides from 1 to 5 mm.
    assert flat["hd_mm"] == 5.0
    thick = measure_surfaces(whole, half, (1.0, 1.0, 1.0))
    assert flat["assd_mm"] > 1.5 * thick.assd_mm()


def test_a_lesion_at_the_border_has_a_surface_there() -> None:
    whole = np.ones((3, 4, 5), bool)
    found = score_pair(whole, whole, SPACING_MM)
    assert (found["dice"], found["hd_mm"], found["specificity"]) == (1.0, 0.0, 1.0)


def test_surface_dice_at_three_tolerances_by_hand() -> None:
    # Two single voxels, two rows apart: their near sides lie 0.8 mm from the other, their far sides 1.6 mm.
    one, other = boxes(((3, 4, 5), (4, 5, 6))), boxes(((3, 6, 5), (4, 7, 6)))
    found = score_pair(one, other, SPACING_MM)
    assert [found[f"surface_dice_{mm}mm"] for mm in (1, 2, 5)] == pytest.approx([0.5, 1.0, 1.0])
    assert found["hd_mm"] == pytest.approx(1.6)


def test_a_tumor_that_is_missed_is_infinitely_far_and_so_is_a_false_alarm() -> None:
    nothing = np.zeros_like(REFERENCE)
    for masks in ((REFERENCE, nothing), (nothing, REFERENCE)):
        found = measure_surfaces(*masks, SPACING_MM)
        assert found.hausdorff_mm() == found.hausdorff_mm(95.0) == found.assd_mm() == math.inf
        assert found.surface_dice(5.0) == 0.0
