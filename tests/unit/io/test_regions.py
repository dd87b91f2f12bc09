"""Values that lie in several declared structures: the label of each by names alone, against tables written by hand."""

from dataclasses import replace

import pytest

from lesionflow.data.volume import IGNORED
from lesionflow.errors import InputError
from lesionflow.io.notes import collected
from lesionflow.io.regions import label_of_values, narrowest
from lesionflow.io.rules import ReadingRules

BRATS = ReadingRules(
    {},
    "",
    {"necrotic_core": 1, "edema": 2, "enhancing_tumor": 3, "non_enhancing_tumor": 4},
    (("(?i)necro.*|ncr.*", "necrotic_core"), ("(?i)edema|ed", "edema"), ("(?i)enhancing.*|et", "enhancing_tumor"),
     ("(?i)non_?enhancing.*", "non_enhancing_tumor")),
    regions={"WT": (1, 2, 3, 4), "TC": (1, 3, 4), "ET": (3,)},
)  # fmt: skip
KIDNEY = ReadingRules({}, "", {"kidney": 1, "tumor": 2})
KITS = {"kidney": (1, 2, 3), "masses": (2, 3), "tumor": (2,)}


def labels(declared, rules=BRATS):
    return label_of_values(declared, rules, name="c-1")


@pytest.mark.parametrize(
    "declared",
    [
        {"whole tumor": (1, 2, 3), "tumor core": (2, 3), "enhancing tumor": (3,)},
        {"enhancing": (3,), "tumor_core": (3, 2), "whole_tumor": (3, 1, 2)},
        {"ET": (3,), "WT": (1, 2, 3), "TC": (2, 3)},
        {"Whole Tumour": (1, 2, 3), "Tumour-Core": (2, 3), "Enhancing Tumour": (3,)},
    ],
    ids=["as nnU-Net's example", "other order and words", "the rules' names", "British"],
)
def test_regions_are_subtracted_whatever_their_numbers(declared) -> None:
    """BraTS 2021 as nnU-Net has it: 1 is edema, 2 necrosis, 3 enhancing."""
    assert labels(declared) == {1: 2, 2: 1, 3: 3}


def test_other_numbers_of_the_same_regions_are_other_labels() -> None:
    assert labels({"WT": (4, 7, 9), "TC": (4, 9), "ET": (9,)}) == {4: 1, 7: 2, 9: 3}


def test_a_label_that_another_value_is_called_by_is_not_taken_twice() -> None:
    declared = {"WT": (1, 2, 3, 4), "TC": (1, 3, 4), "ET": (3,), "necrosis": (1,)}
    assert labels(declared) == {1: 1, 2: 2, 3: 3, 4: 4}


def test_labels_that_no_region_tells_apart_are_said() -> None:
    with collected() as notes:
        labels({"WT": (1, 2, 3), "TC": (2, 3), "ET": (3,)})
    assert [note.code for note in notes] == ["one_label_of_region"]
    assert "necrotic_core, non_enhancing_tumor" in notes[0].message


def test_a_rule_may_say_what_the_rest_of_a_region_is() -> None:
    rest = (("whole tumor", "edema"), ("tumor core", "non_enhancing_tumor"))
    one_region = replace(BRATS, regions={"WT": (1, 2, 3, 4)}, outlines=rest + BRATS.outlines)
    declared = {"whole tumor": (1, 2, 3), "tumor core": (2, 3), "enhancing tumor": (3,)}
    assert labels(declared, one_region) == {1: 2, 2: 4, 3: 3}
    with pytest.raises(InputError, match="the rest of whole tumor"):
        labels(declared, replace(one_region, outlines=BRATS.outlines))


@pytest.mark.parametrize(
    ("declared", "rules"),
    [
        ({"whole tumor": (1, 2, 3), "enhancing tumor": (3,)}, BRATS),
        ({"kidney": (1, 2), "tumor": (2, 3)}, KIDNEY),
        ({"kidney": (1,), "tumor": (1,)}, KIDNEY),
    ],
    ids=["no core", "overlapping", "two names of one value"],
)
def test_what_names_do_not_tell_is_refused(declared, rules) -> None:
    with pytest.raises(InputError, match="c-1") as refused:
        labels(declared, rules)
    assert refused.value.reason == "ambiguous_region"


def test_without_regions_of_the_rules_the_narrowest_known_name_decides() -> None:
    assert labels(KITS, KIDNEY) == {1: 1, 2: 2, 3: 1}
    assert labels(KITS, ReadingRules({}, "", {"tumor": 5})) == {1: None, 2: 5, 3: None}
    assert labels(KITS, ReadingRules({}, "", {"kidney": 5})) == {1: 5, 2: 5, 3: 5}


def test_a_part_that_a_rule_calls_background_does_not_fall_to_what_is_around_it() -> None:
    rules = ReadingRules({}, "", {"kidney": 1}, (("tumor", "background"),))
    assert labels(KITS, rules)[2] is None


def test_ignore_is_reserved_unless_it_is_a_label() -> None:
    assert labels({"kidney": (1,), "ignore": (2,)}, KIDNEY) == {1: 1, 2: IGNORED}
    assert labels({"ignore": (2,)}, ReadingRules({}, "", {"ignore": 3})) == {2: 3}


def test_narrowest_first() -> None:
    assert narrowest(2, KITS) == ["tumor", "masses", "kidney"]
