"""The change plan that lay there when a model was read."""

from types import SimpleNamespace

import pytest

from lesionflow.steps.evaluate.plan_in_sight import plan_in_sight
from support.change_plans import change_plan, write_demonstration_plan

BUNDLE = SimpleNamespace(plan=SimpleNamespace(targets=[SimpleNamespace(name="tumor")]))


@pytest.mark.parametrize("splits", ["splits.json", "data/splits.json"])
def test_it_is_named_by_version_and_digest_where_it_lies_in_the_workspace(tmp_path, splits):
    assert plan_in_sight(tmp_path / splits, BUNDLE) == {}
    write_demonstration_plan(tmp_path, version=3)
    may = ["data", "training", "plan", "preprocessing"]
    same = change_plan(claim=False, min_test_patients=1, floors=[], what_may_change=may, version=3)
    assert plan_in_sight(tmp_path / splits, BUNDLE) == {"change_plan_version": 3, "change_plan_sha256": same.digest}


def test_one_that_could_judge_nobody_is_not_named(tmp_path):
    floors = [{"metric": "dice", "target": "liver", "min_score": 0.3}]
    write_demonstration_plan(tmp_path, floors=floors)
    assert plan_in_sight(tmp_path / "splits.json", BUNDLE) == {}
    (tmp_path / "change_plan.yaml").write_text("version: none of these")
    assert plan_in_sight(tmp_path / "splits.json", BUNDLE) == {}
