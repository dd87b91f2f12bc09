"""Which series is which channel, and which outline which label: each part of a rule alone can make it not fit."""

import pytest

from lesionflow.io.rules import ReadingRules, SeriesRule, place

RULE = SeriesRule("MR", "flair", "head", "B3.f")
SAID = {"modality": "MR", "description": "AX FLAIR 3mm", "body_part": "HEAD", "kernel": "B30f"}


def test_a_series_that_says_all_that_is_wanted_fits() -> None:
    assert RULE.fits(**SAID)
    assert SeriesRule("MR").fits("MR", "")


@pytest.mark.parametrize(
    "change", [{"modality": "CT"}, {"description": "AX T1"}, {"body_part": "NECK"}, {"kernel": "B70f"}, {"kernel": ""}]
)
def test_each_other_word_alone_makes_it_another_series(change: dict) -> None:
    assert not RULE.fits(**{**SAID, **change})


def test_a_rule_says_only_what_it_wants() -> None:
    assert str(RULE) == "modality MR, description 'flair', body part 'head', kernel 'B3.f'"
    assert str(SeriesRule("PT")) == "modality PT"


@pytest.mark.parametrize(
    ("structure", "label"),
    [("GTV_Mass", 1), (" gtv 2 ", 1), ("Edema", 2), ("PTV from GTV", None), ("", None), ("GTV_node", 3)],
)
def test_the_first_rule_that_matches_the_whole_name_wins(structure: str, label: int | None) -> None:
    outlines = (("(?i)gtv_node", "node"), ("(?i)gtv.*", "tumor"), ("Edema", "edema"))
    rules = ReadingRules({"CT": SeriesRule("CT")}, "CT", {"tumor": 1, "edema": 2, "node": 3}, outlines)
    assert rules.label_of(structure) == label


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (["site A", "ann"], "site A/ann"),
        (["site A", "ann.zip"], "site A/ann"),
        (["ann.zip", "ann"], "ann"),
        (["ANN.ZIP", "CT", "CT"], "ANN/CT"),
        ([], ""),
    ],
)
def test_a_place_is_the_same_zipped_or_not(parts: list[str], name: str) -> None:
    assert place(parts) == name


def test_a_name_that_fits_no_rule_as_it_stands_is_tried_in_its_other_spellings_and_in_any_case() -> None:
    rules = ReadingRules({}, "", {"tumor": 1, "edema": 2}, (("GTV_mass", "tumor"), ("gtv_edema", "edema")))
    assert [rules.label_of(name) for name in ("GTV mass", "gtv-Mass", "GTV oedema", "GTV")] == [1, 1, 2, None]


def test_a_pattern_of_the_same_case_goes_first() -> None:
    rules = ReadingRules({}, "", {"primary": 1, "planned": 2}, (("GTVp", "primary"), ("GTVP", "planned")))
    assert [rules.label_of(name) for name in ("GTVp", "GTVP", "gtvp")] == [1, 2, 1]


def test_background_and_ignore_are_words_of_rules_beside_labels() -> None:
    outlines = (("old.*", "background"), ("unsure", "ignore"), (".*", "tumor"))
    rules = ReadingRules({}, "", {"tumor": 1}, outlines)
    assert [rules.label_of(name) for name in ("old GTV", "unsure", "GTV", "Background")] == [None, 255, 1, None]
    assert [rules.is_unwanted(name) for name in ("old GTV", "unsure", "GTV", "BACKGROUND")] == [
        True,
        False,
        False,
        True,
    ]


def test_a_label_is_named_by_itself_before_any_rule() -> None:
    rules = ReadingRules({}, "", {"liver tumor": 2, "Liver": 1}, (("(?i)liver.*", "Liver"),))
    assert [rules.named(name) for name in ("Liver_Tumour", "liver", "liver left", "x")] == [2, 1, 1, None]
    alike = ReadingRules({}, "", {"GTV 1": 1, "GTV_1": 2})
    assert [alike.named(name) for name in ("GTV 1", "GTV_1", "GTV-1")] == [1, 2, None]
