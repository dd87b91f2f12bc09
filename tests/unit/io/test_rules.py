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
