"""What the card says is what is known, in both forms alike; what is not known is said to be so."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from lesionflow.evaluation.cards.model_card import CardFacts, card_files, write_html, write_markdown
from support.bundles import small_bundle, small_calibration

DICE = {"mean": 0.8125, "low": 0.75, "high": 0.875, "n": 12, "n_undefined": 0}
#: JSON has no infinity and no NaN: what is not defined is null.
METRICS = {
    "dice": DICE,
    "targets": {
        "tumor": {
            "dice": DICE,
            "hd95_mm": {"mean": 4.25, "low": None, "high": None, "n": 2},
            "with_tumor": {"dice": {**DICE, "mean": 0.5, "n": 4}},
            "n_cases_with_tumor": 8,
            "n_missed_cases": 3,
            "n_cases_without_tumor": 4,
            "n_false_alarm_cases": 0,
            "subgroups": [
                {
                    "by": "site",
                    "group": "North | <b>East</b>",
                    "n_patients": 3,
                    "n_cases": 5,
                    "estimates": {"dice": DICE},
                }
            ],
        }
    },
}
COHORT = {
    "trained": {"n_cases": 30, "n_patients": 20, "groups": {"sex": {"F": 12, "M": 8}, "site": {"North": 20}}},
    "tested": {"n_cases": 15, "n_patients": 12, "groups": {"sex": {"F": 12}, "site": {"unknown": 12}}},
}


def card(**changes):
    given = {
        "model_name": "knees",
        "bundle": replace(small_bundle(), digest="ab" * 32),
        "metrics": METRICS,
        "cohort": COHORT,
        "against_champion": "",
        "champion": None,
        "signed_by": "unsigned",
    }
    return CardFacts(**{**given, **changes})


class _Text(HTMLParser):
    def __init__(self):
        super().__init__()
        self.said, self.tags = [], []

    def handle_data(self, data):
        self.said.append(data)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)


def text_of(page):
    reader = _Text()
    reader.feed(re.sub(r"<(style|script)>.*?</\1>", "", page, flags=re.DOTALL))
    return reader


def test_figures_stand_with_their_intervals_patients_and_those_with_a_tumor():
    said = write_markdown(card(against_champion="better by 0.02"))
    assert "| tumor | Dice | 0.812 | 0.750 to 0.875 | 12 | 0.500 of 4 |" in said
    assert "| tumor | HD95 (mm) | 4.25 | too few patients | 2 |  |" in said
    assert "champion of its day: better by 0.02" in said
    assert "Research use only" in said


def test_limits_name_what_was_missed_small_groups_and_what_is_not_known():
    said = write_markdown(card()).split("## Limits")[1].split("##")[0]
    assert "nothing was found in 3 of 8 test cases" in said
    assert "outlined in" not in said
    assert "site North" in said
    assert "(3)" in said
    assert "Not known of the test patients" in said
    assert "site, scanner, age (years)" in said
    assert "can't tell whether a study is unlike" in said


def test_of_whom_it_learned_stands_beside_whom_it_was_tested_on():
    said = write_markdown(card())
    for row in ("| all | patients | 20 | 12 |", "| sex | M | 8 | 0 |", "| site | unknown | 0 | 12 |"):
        assert row in said
    assert "Not counted" in write_markdown(card(cohort={}))


def test_what_changed_since_the_champion_is_named():
    assert "no earlier version" in write_markdown(card())
    before = small_bundle()
    fewer = before.card.model_copy(update={"trained_cases": ("c-000001", "c-000009"), "code_revision": "old"})
    plan = before.plan.model_copy(update={"denoising": "median"})
    said = write_markdown(card(champion=("7", replace(before, card=fewer, plan=plan))))
    assert "## What changed since version 7" in said
    assert "| cases learned from | 2 | 2: 1 new, 1 no longer |" in said
    assert "| denoising | median | none |" in said
    assert "| code revision | old | abc123 |" in said


@pytest.mark.parametrize("calibration", [None, small_calibration()])
def test_both_forms_say_the_same_and_nothing_of_the_data_becomes_a_mark(calibration):
    facts = card(bundle=replace(small_bundle(), digest="ab" * 32, calibration=calibration))
    (name, markdown), (page_name, page) = card_files(facts)
    assert (name, page_name, page) == ("model_card.md", "model_card.html", write_html(facts))
    reader = text_of(page)
    words = " ".join(" ".join(reader.said).split())
    for line in markdown.splitlines():
        for piece in line.strip("|#* ").split(" | "):
            shown = piece.strip().replace("\\|", "|").replace("&lt;", "<").strip("*")
            if set(shown) - set("-| "):
                assert " ".join(shown.split()) in words, shown
    assert reader.tags.count("b") == 1
    assert "<b>East" not in markdown
    assert "North \\| &lt;b>East&lt;/b>" in markdown
