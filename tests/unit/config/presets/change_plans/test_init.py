"""Which change plan goes with which params."""

import pytest

from lesionflow.config import load_params
from lesionflow.config.change_plan import CHANGE_PLAN, read_change_plan, require_fitting
from lesionflow.config.presets import PRESETS
from lesionflow.config.presets.change_plans import ANY, CHANGE_PLANS, find_change_plan
from lesionflow.data.dataset import CASE_COLUMNS
from lesionflow.evaluation.subgroups import BY_BOUNDS, BY_VALUE
from lesionflow.metrics import ORDERED_METRICS

NAMES = sorted(path.stem for path in PRESETS.glob("*.yaml"))


@pytest.mark.parametrize("name", NAMES)
def test_a_presets_change_plan_fits_its_targets_metrics_and_groups(name):
    ingest = load_params(PRESETS / f"{name}.yaml")["ingest"]
    path = find_change_plan(PRESETS / f"{name}.yaml")
    assert path == CHANGE_PLANS / f"{name}.yaml"
    plan = read_change_plan(path)
    require_fitting(plan, ingest["regions"] or ingest["labels"], ORDERED_METRICS, CASE_COLUMNS)
    assert set(plan.subgroups.columns) <= {*BY_VALUE, *BY_BOUNDS}
    # Every target is watched, so that none pays for another's gain.
    watched = {one.target for one in plan.noninferiority if one.metric == "dice"}
    assert "all" in watched or watched == set(ingest["regions"] or ingest["labels"])
    assert {"dice", "surface_dice_2mm"} <= {one.metric for one in plan.noninferiority}
    assert plan.claim
    assert plan.min_test_patients >= 8


def test_ones_own_params_have_the_plan_beside_them_or_that_for_any(tmp_path):
    own = tmp_path / "phantom_ct.yaml"
    assert find_change_plan(own) == CHANGE_PLANS / f"{ANY}.yaml"
    (tmp_path / CHANGE_PLAN).write_text("version: 1\n", encoding="utf-8")
    assert find_change_plan(own) == tmp_path / CHANGE_PLAN
    plan = read_change_plan(CHANGE_PLANS / f"{ANY}.yaml")
    assert {one.target for one in (plan.primary, *plan.noninferiority, *plan.floors)} == {"all"}
