"""What MONAI's transforms can't say is refused by its name; what they can is said in numbers counted by hand. That MONAI runs it: `test_export.py`."""

import pytest

from lesionflow.data.calibration import MaskRules
from lesionflow.data.dataset import Target
from lesionflow.data.plan import Plan
from lesionflow.errors import ConfigError
from lesionflow.inference.monai_bundle.configs import _label_order, inference_config, require_expressible
from support.bundles import small_plan

RULES = MaskRules(probability_threshold=0.5, min_lesion_ml=0.25, fill_holes=False)


@pytest.fixture
def plan():
    return small_plan().model_copy(update={"context_slices": 1})


@pytest.mark.parametrize(
    ("changes", "rules", "named"),
    [
        ({"context_slices": 3}, {}, "3 context slices"),
        ({"coarse": object()}, {}, "cascade"),
        ({"foreign": object()}, {}, "another program"),
        ({"denoising": "median"}, {}, "denoising by median"),
        ({"bias_field_correction": True}, {}, "bias field correction"),
        ({}, {"smoothing_mm": 1.0}, "smoothing_mm"),
        ({}, {"inside_body": True}, "inside_body"),
        ({}, {"surest_only": True}, "surest_only"),
    ],
)
def test_what_cant_be_said_is_named(plan, changes, rules, named):
    other = Plan.model_construct(**{**dict(plan), **changes})
    with pytest.raises(ConfigError, match=named):
        require_expressible(other, RULES.model_copy(update=rules))


def test_a_dark_background_is_named(plan):
    turned = plan.channels[0].model_copy(update={"dark_background": True})
    with pytest.raises(ConfigError, match="dark background"):
        require_expressible(plan.model_copy(update={"channels": (turned,)}), RULES)


def test_a_plan_is_said_in_numbers(plan):
    said = inference_config(plan, RULES, 0.4)
    assert said["threshold"] == 0.4
    assert said["spacing_mm"] == [-1.0, 0.8, 0.5]
    assert said["tidying"]["transforms"] == [
        {"_target_": "RemoveSmallObjects", "min_size": 250.0, "connectivity": 3, "by_measure": True}
    ]
    assert any(
        "@by_constants(x[0:1], -200.0, 300.0, 40.0, 60.0)" in str(one) for one in said["preprocessing"]["transforms"]
    )
    assert any(one.get("axcodes") == "SPL" for one in said["preprocessing"]["transforms"] if isinstance(one, dict))


def test_regions_are_written_widest_first_and_within_one_another():
    brats = (Target(name="WT", labels=(1, 2, 3)), Target(name="TC", labels=(1, 3)), Target(name="ET", labels=(3,)))
    assert _label_order(brats) == [[0, 2, False], [1, 1, True], [2, 3, True]]
    labels = (Target(name="a", labels=(1,)), Target(name="b", labels=(4,)))
    assert _label_order(labels) == [[0, 1, False], [1, 4, False]]
