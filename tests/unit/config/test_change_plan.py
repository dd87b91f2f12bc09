"""The change plan's keys, what each may be, and what is said of one that does not fit."""

import hashlib
import json
import math
import re

import pytest
import yaml

from lesionflow.config.change_plan import CHANGE_PLAN, Change, ChangePlan, read_change_plan, require_fitting
from lesionflow.config.field_docstrings import field_docstrings
from lesionflow.config.presets.change_plans import CHANGE_PLANS
from lesionflow.config.sections.section import Section
from lesionflow.errors import ConfigError

PLAN = yaml.safe_load((CHANGE_PLANS / "liver_2d.yaml").read_text(encoding="utf-8"))
METRICS = ("dice", "surface_dice_2mm", "lesion_recall", "absolute_volume_error_ml")
SPANS = {**dict.fromkeys(METRICS, (0.0, 1.0)), "absolute_volume_error_ml": (0.0, math.inf)}
COLUMNS = ("case_id", "site", "sex", "manufacturer", "age_years")
TARGETS = ("liver", "tumor")


def _write(folder, **changes):
    path = folder / CHANGE_PLAN
    path.write_text(yaml.safe_dump({**PLAN, **changes}, sort_keys=False), encoding="utf-8")
    return path


def test_a_plan_is_read_as_it_is_written(tmp_path):
    plan = read_change_plan(_write(tmp_path))
    assert plan.model_dump(mode="json") == PLAN
    assert plan.what_may_change[0] is Change.DATA
    assert plan.metrics == METRICS


@pytest.mark.parametrize("key", PLAN)
def test_every_key_is_required(tmp_path, key):
    path = _write(tmp_path)
    path.write_text(yaml.safe_dump({k: v for k, v in PLAN.items() if k != key}), encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"(?m)^  {key}: Field required"):
        read_change_plan(path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"alhpa": 0.05}, r"alhpa \(line \d+\): Extra inputs.*Did you mean alpha\?"),
        ({"what_may_change": ["date"]}, r"what_may_change\.0 .*Did you mean data\?"),
        ({"alpha": 0.9}, r"alpha .*less than or equal to 0\.2"),
        ({"alpha": 0}, r"alpha .*greater than 0"),
        ({"looks": 0}, r"looks .*greater than or equal to 1"),
        ({"looks": 10**9}, r"looks .*less than or equal to 1000"),
        ({"primary": {"metric": "dice", "target": "tumor", "min_gain": -0.1}}, r"primary\.min_gain"),
        ({"unsigned_bundles": "maybe"}, r"unsigned_bundles"),
        ({"first_authorized_version": 2}, r"first_authorized_version .*valid string"),
        ({"min_test_patients": 7}, r"at least 8 where a claim is made, found 7"),
    ],
)
def test_a_value_that_does_not_fit_is_named(tmp_path, changes, said):
    with pytest.raises(ConfigError, match=said):
        read_change_plan(_write(tmp_path, **changes))


def test_fewer_patients_are_taken_where_nothing_is_claimed(tmp_path):
    assert read_change_plan(_write(tmp_path, min_test_patients=3, claim=False)).min_test_patients == 3


def test_where_there_is_none_the_command_that_makes_one_is_named(tmp_path):
    with pytest.raises(ConfigError, match="lesionflow change-plan make --workdir"):
        read_change_plan(tmp_path / CHANGE_PLAN)


def test_what_is_no_yaml_is_named(tmp_path):
    path = tmp_path / CHANGE_PLAN
    path.write_text("a: [", encoding="utf-8")
    with pytest.raises(ConfigError, match="readable YAML change plan"):
        read_change_plan(path)


def test_the_digest_is_of_what_the_plan_says_not_of_how_it_is_written(tmp_path):
    plan = read_change_plan(_write(tmp_path))
    assert plan.digest == hashlib.sha256(json.dumps(PLAN, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    turned = tmp_path / "turned.yaml"
    turned.write_text("# A remark.\n" + yaml.safe_dump(dict(reversed(PLAN.items()))), encoding="utf-8")
    assert read_change_plan(turned).digest == plan.digest
    assert read_change_plan(_write(tmp_path, looks=19)).digest != plan.digest


def test_targets_and_metrics_that_there_are_not_are_named_with_what_was_meant():
    plan = ChangePlan.model_validate({**PLAN, "primary": {"metric": "dise", "target": "tumour", "min_gain": 0.0}})
    require_fitting(ChangePlan.model_validate(PLAN), TARGETS, SPANS, COLUMNS)
    with pytest.raises(ConfigError, match=r"(?s)these 2 entries.*primary\.target.*tumor\?.*primary\.metric.*dice\?"):
        require_fitting(plan, TARGETS, SPANS, COLUMNS)
    with pytest.raises(ConfigError, match=r"floors\.0\.target: expected one of all, tumor, found 'liver'"):
        require_fitting(ChangePlan.model_validate(PLAN), ("tumor",), SPANS, COLUMNS)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"subgroups": {**PLAN["subgroups"], "columns": ["institution"]}},
            r"subgroups\.columns\.0: .*site.*'institution'",
        ),
        ({"subgroups": {**PLAN["subgroups"], "columns": ["sex", "sites"]}}, r"columns\.1: .*mean site\?"),
        (
            {"noninferiority": [{"metric": "dice", "target": "all", "margin": 2.0}]},
            r"noninferiority\.0\.margin.*less than 1",
        ),
        ({"primary": {**PLAN["primary"], "min_gain": 1.0}}, r"primary\.min_gain: expected less than 1.*found 1"),
        (
            {"floors": [{"metric": "dice", "target": "all", "min_score": 70.0}]},
            r"min_score: expected 0 to 1, .*found 70",
        ),
        (
            {"floors": [{"metric": "dice", "target": "all", "min_score": -1.0}]},
            r"min_score: expected 0 to 1, .*found -1",
        ),
        ({"subgroups": {**PLAN["subgroups"], "margin": 5.0}}, r"subgroups\.margin: expected less than 1"),
        ({"creep_margin": 50.0}, r"creep_margin: expected less than 1"),
    ],
)
def test_a_rule_that_could_never_fail_or_never_hold_is_refused(changes, said):
    with pytest.raises(ConfigError, match=said):
        require_fitting(ChangePlan.model_validate({**PLAN, **changes}), TARGETS, SPANS, COLUMNS)


def test_a_margin_of_a_metric_without_an_end_may_be_any():
    volume = {"metric": "absolute_volume_error_ml", "target": "all", "margin": 500.0}
    require_fitting(ChangePlan.model_validate({**PLAN, "noninferiority": [volume]}), TARGETS, SPANS, COLUMNS)


def test_each_field_has_its_own_docstring():
    below = (f.annotation for f in ChangePlan.model_fields.values())
    kinds = [ChangePlan, *(kind for kind in below if isinstance(kind, type) and issubclass(kind, Section))]
    assert len(kinds) == 4
    for kind in kinds:
        told = field_docstrings(kind)
        assert list(told) == list(kind.model_fields)
        assert all(re.fullmatch(r"[A-Z`].{8,}\.", words) for words in told.values())
