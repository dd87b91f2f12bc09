"""What is calibrated is what a probability says where the network finds a tumor possible."""

import numpy as np

from lesionflow.calibration.fitting import _calibrate, _sample, _spread
from lesionflow.calibration.mask_rules import RuleCase
from lesionflow.data.case import Case
from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask, Volume
from lesionflow.inference import NetworkAnswer
from lesionflow.preprocessing import find_way_back
from support.bundles import small_plan

SHAPE = (20, 40, 44)


def _case(probabilities, labels):
    geometry = Geometry.from_parts(SHAPE, (3.0, 0.8, 0.5), (0.0, 0.0, 0.0))
    case = Case("c", "p", ("CT",), Volume(np.full((1, *SHAPE), 40.0, np.float32), geometry), Mask(labels, geometry))
    plan = small_plan().model_copy(update={"spacing_mm": (None, None, None)})
    way = find_way_back(case.volume, plan)
    inside = np.ascontiguousarray(way.view(probabilities[None].astype(np.float32)))
    return RuleCase.of(case, NetworkAnswer(inside, way, {}), plan)


def _honest(scale):
    """Probabilities that hold as often as they say when logits are multiplied by `scale`; and a tumor never seen."""
    rng = np.random.default_rng(3)
    probabilities = rng.uniform(0.05, 0.95, SHAPE)
    odds = np.exp(scale * np.log(probabilities / (1 - probabilities)))
    labels = (rng.random(SHAPE) < odds / (1 + odds)).astype(np.uint8)
    probabilities[:8], labels[:8] = 0.001, 1
    return probabilities, labels


def test_what_is_missed_altogether_does_not_make_honest_probabilities_look_wrong():
    temperature, before, after = _calibrate([_sample(_case(*_honest(1.0)))])
    assert 0.95 < temperature < 1.05
    assert after <= before < 0.02


def test_a_network_that_is_too_sure_is_made_less_so():
    temperature, before, after = _calibrate([_sample(_case(*_honest(0.5)))])
    assert 1.85 < temperature < 2.15
    assert after < 0.02
    assert before > 0.05


def test_patients_come_before_follow_ups():
    patients = {"a1": "a", "a2": "a", "a3": "a", "b1": "b", "c1": "c", "c2": "c"}
    assert _spread(list(patients), patients, 3) == ["a1", "b1", "c1"]
    assert _spread(list(patients), patients, 4) == ["a1", "b1", "c1", "c2"]
    assert _spread(list(patients), patients, 9) == sorted(patients)
    assert _spread(list(patients), patients, 1) == ["b1"]
    # Without their names each is a patient: evenly spread ones stand for all.
    assert _spread([f"{i:02}" for i in range(10)], {}, 5) == ["01", "03", "05", "07", "09"]
