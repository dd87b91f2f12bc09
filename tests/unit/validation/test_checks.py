import numpy as np
import pandas as pd
import pytest

from lesionflow.data.dataset import Dataset
from lesionflow.errors import ConfigError
from lesionflow.validation.checks import (
    CHECKS,
    Limits,
    Rule,
    columns_of,
    make_rules,
    read_labels,
    require_known_severities,
    with_derived_columns,
)
from support.case_tables import CT_PET, case_table

LIMITS = Limits(5, (0.2, 10.0), (3, 32, 32), (-2048.0, 32767.0), 200.0, (0.0, 3000.0), 0.5, 0.1, 0.02, 30.0, 0.95, 0.5)


def test_every_check_has_rules_and_every_rule_a_check():
    assert {rule.check for rule in make_rules(LIMITS, CT_PET)} == set(CHECKS)


def test_rules_look_only_at_columns_of_the_derived_table():
    assert set(columns_of(make_rules(LIMITS, CT_PET))) <= set(with_derived_columns(case_table(), CT_PET))


def test_plain_pictures_have_no_spacing_rule():
    pictures = Dataset(name="x", channels={"photo": "picture"}, labels={"tumor": 1}, regions={})
    assert "spacing" not in {rule.check for rule in make_rules(LIMITS, pictures)}


def test_only_ct_and_pet_have_intensity_bounds():
    mr = Dataset(name="x", channels={"T1": "mr"}, labels={"tumor": 1}, regions={})
    rules = make_rules(LIMITS, mr)
    assert [r.kind for r in rules if r.check == "intensity_range"] == ["not_null", "not_null", "greater"]
    rules = [r for r in make_rules(LIMITS, CT_PET) if r.check == "intensity_range" and r.kind == "between"]
    assert [(r.column, r.low, r.high) for r in rules] == [
        ("min__CT", -2048.0, 32767.0),
        ("max__CT", -2048.0, 32767.0),
        ("min__PET", None, 200.0),
        ("max__PET", None, 200.0),
    ]


@pytest.mark.parametrize(
    ("present", "labels"),
    [("", ()), ("1", (1,)), ("1,2", (1, 2)), ("[0 3]", (0, 3)), ([2, 1], (2, 1)), (np.array([4]), (4,)), (None, ())],
)
def test_labels_are_read_however_they_are_listed(present, labels):
    assert read_labels(present) == labels


def test_what_is_derived_of_cases_with_and_without_a_tumor():
    table = case_table(4)
    table["labels_present"] = ["1", "", "1,5", "0,1"]
    table["has_mask"] = pd.Series([True, False, True, True])
    table["tumor_ml"] = [7.0, np.nan, 8.0, 0.0]
    table["inside_body_fraction"] = [0.9, np.nan, 0.8, np.nan]
    derived = with_derived_columns(table, CT_PET)
    assert derived["n_unknown_labels"].tolist() == [0, 0, 1, 0]
    assert derived["has_mask"].tolist() == [1, 0, 1, 1]
    assert derived["tumor_ml"].tolist() == [7.0, 0.0, 8.0, 0.0]
    assert derived["inside_body_fraction"].tolist() == [0.9, 1.0, 0.8, 1.0]
    assert np.isnan(table["tumor_ml"][1]), "the given table is left alone"


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (Rule("spacing", "between", "a", 0.2, 10.0), "a from 0.2 to 10"),
        (Rule("shape", "between", "a", 0, None), "a >= 0"),
        (Rule("intensity_range", "between", "a", None, 200), "a <= 200"),
        (Rule("intensity_range", "greater", "a", other="b"), "a above b"),
        (Rule("labels", "not_null", "a"), "a known"),
        (Rule("duplicate_image", "unique", "a"), "a once only"),
        (Rule("min_cases", "row_count", low=5), "at least 5 cases"),
    ],
)
def test_a_rule_says_what_it_expects(rule, words):
    assert rule.expected == words


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"spacing": None}, "`spacing` is missing"),
        ({"colour": "warn"}, "`colour` is no check"),
        ({"min_cases": "quarantine"}, "`min_cases` concerns the whole table"),
    ],
)
def test_severities_must_name_the_checks(change, words):
    severity = {**dict.fromkeys(CHECKS, "warn"), **change}
    with pytest.raises(ConfigError, match=words):
        require_known_severities({name: value for name, value in severity.items() if value})
    require_known_severities(dict.fromkeys(CHECKS, "warn"))
