import numpy as np
import pytest

from lesionflow.calibration.mask_rules import RuleCase
from lesionflow.data.calibration import MaskRules
from lesionflow.data.case import Case
from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask, Volume
from lesionflow.inference import NetworkAnswer
from lesionflow.inference.lesion_probabilities import NEGLIGIBLE, TargetProbabilities, raw_threshold, surface_mm2
from lesionflow.preprocessing import find_way_back
from support.bundles import small_plan


def test_expected_dice_by_hand() -> None:
    # A mask of 2 ml, half of it tumor by the probabilities, and 1 ml of tumor expected elsewhere: 2 x 1 / (2 + 2).
    assert TargetProbabilities("tumor", 2.0, 2.0, 1.0, ()).expected_dice == pytest.approx(0.5)
    assert TargetProbabilities("tumor", 0.0, 0.0, 0.0, ()).expected_dice == 1.0


SHAPE, SPACING_MM = (9, 24, 30), (3.0, 0.8, 0.5)
START = MaskRules(probability_threshold=0.5, min_lesion_ml=0.0, fill_holes=False)
TUMOR = (slice(2, 7), slice(5, 17), slice(6, 20))


def _case(number: int, probabilities: np.ndarray, labels: np.ndarray, in_plane_scale: float = 1.0) -> RuleCase:
    thickness, row, column = SPACING_MM
    spacing_mm = (thickness, row * in_plane_scale, column * in_plane_scale)
    geometry = Geometry.from_parts(SHAPE, spacing_mm, (0.0, 0.0, 0.0))
    hu = np.full((1, *SHAPE), 40.0, np.float32)
    hu[0, :, :, 26:] = -1000.0
    hu[0, :, 12, 29] = 40.0  # the table's edge: not the body
    case = Case(f"c-{number}", "p", ("CT",), Volume(hu, geometry), Mask(labels, geometry))
    plan = small_plan().model_copy(update={"spacing_mm": (None, None, None)})
    way = find_way_back(case.volume, plan)
    inside = np.ascontiguousarray(way.view(probabilities[None].astype(np.float32)))
    return RuleCase.of(case, NetworkAnswer(inside, way, {}), plan)


def _truth() -> np.ndarray:
    labels = np.zeros(SHAPE, np.uint8)
    labels[TUMOR] = 1
    return labels


def test_evidence_says_which_lesions_are_real() -> None:
    probabilities = np.where(_truth() > 0, 0.8, 0.0)
    probabilities[0, 20:22, 1:4] = 0.6
    (found,) = _case(0, probabilities, _truth()).measure_probabilities(
        np.where(probabilities > 0.5, 1, 0)[:, :, :26].astype(np.uint8), 1.0
    )
    assert [lesion.real for lesion in found.lesions] == [True, False]
    np.testing.assert_allclose([lesion.mean_probability for lesion in found.lesions], [0.8, 0.6], atol=1e-6)
    # 6 voxels of 0.6 and 840 of 0.8 in a mask of 846: all that is expected lies inside.
    assert found.expected_dice == pytest.approx(2 * (840 * 0.8 + 6 * 0.6) / (846 + 840 * 0.8 + 6 * 0.6))
    # Slices run to the head (z), rows to the back (y), columns to the left (x).
    np.testing.assert_allclose(found.lesions[0].center_mm, (12.5 * 0.5, 10.5 * 0.8, 4 * 3.0))


def test_signs_by_hand() -> None:
    """A box of 5 x 12 x 14 voxels that is sure, a shell beside it that is possible, and one voxel by itself."""
    probabilities = np.where(_truth() > 0, 0.8, 0.0)
    probabilities[2:7, 5:17, 20] = 0.4
    probabilities[0, 0, 0] = 0.6
    labels = np.where(probabilities > 0.5, 1, 0)[:, :, :26].astype(np.uint8)
    (found,) = _case(0, probabilities, _truth()).measure_probabilities(labels, 1.0)
    assert found.signs["stability"] == pytest.approx(2 * 840 / (840 + 840 + 60 + 1))
    assert found.signs["certainty"] == pytest.approx((840 * 0.8 + 0.6) / 841, rel=1e-6)
    # Faces: of the box 2 x (12 x 14, 5 x 14, 5 x 12), of the voxel 2 of each kind; in mm of 3.0, 0.8 and 0.5.
    faces = [2 * 12 * 14 + 2, 2 * 5 * 14 + 2, 2 * 5 * 12 + 2]
    surface = faces[0] * 0.8 * 0.5 + faces[1] * 3.0 * 0.5 + faces[2] * 3.0 * 0.8
    assert found.surface_mm2 == pytest.approx(surface)
    volume = 841 * 3.0 * 0.8 * 0.5
    assert found.signs["roundness"] == pytest.approx(1.5 * np.pi ** (1 / 3) * (6 * volume) ** (2 / 3) / surface)


def test_a_ball_is_round_and_two_are_less_so() -> None:
    places = np.indices((40, 40, 90)) * np.array([1.0, 0.9, 0.8])[:, None, None, None]
    center = np.array([20.0, 18.0, 18.0])[:, None, None, None]
    ball = ((places - center) ** 2).sum(axis=0) < 14.0**2
    both = ball | (((places - center - np.array([0, 0, 34.0])[:, None, None, None]) ** 2).sum(axis=0) < 14.0**2)
    one, two = (
        TargetProbabilities("t", volume, volume, volume, (), surface_mm2=surface_mm2(mask, (1.0, 0.9, 0.8))).signs[
            "roundness"
        ]
        for mask in (ball, both)
        for volume in (float(mask.sum()) * 0.72 / 1000,)
    )
    assert one == pytest.approx(1.0, abs=0.02)
    # Two balls: 2^(2/3) / 2.
    assert two == pytest.approx(2 ** (-1 / 3), abs=0.02)
    assert TargetProbabilities("t", 0.0, 0.0, 0.0, ()).signs == {"stability": 1.0, "certainty": 0.0, "roundness": 1.0}


def test_a_threshold_is_turned_back_through_the_calibration_but_never_to_what_is_negligible() -> None:
    assert raw_threshold(START, 1.0) == pytest.approx(0.5)
    # logit(0.7) = 0.8473; twice that is 1.6946, the logit of 0.844828.
    assert raw_threshold(START.model_copy(update={"probability_threshold": 0.7}), 2.0) == pytest.approx(
        0.844828, abs=1e-6
    )
    assert raw_threshold(START.model_copy(update={"probability_threshold": 0.1}), 4.0) == NEGLIGIBLE
