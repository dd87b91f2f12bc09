"""A decision in words."""

import pytest

from support.decisions import decision


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "Version 1 stays champion; version 2 of lesionflow-knees does not become it."),
        (
            {"champion_version_before": None, "champion_version_after": None},
            "There is no champion still; version 2 of lesionflow-knees does not become it.",
        ),
        (
            {"promote": True, "champion_version_after": "2"},
            "Version 2 of lesionflow-knees is the champion now; it was version 1.",
        ),
        (
            {"promote": True, "champion_version_before": None, "champion_version_after": "2"},
            "Version 2 of lesionflow-knees is the champion now.",
        ),
    ],
)
def test_what_becomes_of_it_is_told(changes, said):
    assert decision(**changes).outcome == said


def test_rules_that_refuse_come_first_among_the_broken():
    assert [rule.rule for rule in decision().broken] == ["floor:tumor:dice", "better_than_champion"]
