"""The presets' change plans are made from a base and what each says for itself."""

import shutil

import pytest
import yaml

from lesionflow.config.presets import PRESETS
from lesionflow.config.presets.change_plans import ANY, CHANGE_PLANS
from lesionflow.config.presets.change_plans.build import CHANGE_PLAN_SOURCES, make_change_plans
from lesionflow.errors import ConfigError


def test_the_change_plans_that_ship_are_current():
    made = make_change_plans()
    assert sorted(made) == sorted([ANY, *(path.stem for path in PRESETS.glob("*.yaml"))])
    for name, text in made.items():
        current = (CHANGE_PLANS / f"{name}.yaml").read_text(encoding="utf-8")
        assert current == text, f"Run `make presets`: the change plan {name} is not what sources/change_plans say."


def test_a_plan_says_only_what_differs_from_the_base_and_explains_each_key():
    text = make_change_plans()["phantom_ct"]
    base = yaml.safe_load((CHANGE_PLAN_SOURCES / "base.yaml").read_text(encoding="utf-8"))
    made = yaml.safe_load(text)
    assert made["safety"] == {**base["safety"], "large_lesion_ml": 5.0}
    assert made["noninferiority"] == base["noninferiority"]
    assert "\n# How often the locked test set may decide." in text


def test_a_source_that_does_not_fit_is_named(tmp_path):
    sources = shutil.copytree(CHANGE_PLAN_SOURCES, tmp_path / "sources")
    (sources / "lung_2d.yaml").write_text("# Lung.\nalpha: 2.0\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"(?s)Change plan lung_2d.*alpha"):
        make_change_plans(sources)
