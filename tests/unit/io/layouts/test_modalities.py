import pytest

from lesionflow.errors import InputError
from lesionflow.io.layouts.modalities import canonical, choose_channels
from lesionflow.io.rules import ReadingRules, SeriesRule


def rules(**descriptions):
    return ReadingRules({name: SeriesRule("MR", text or "") for name, text in descriptions.items()}, "")


@pytest.mark.parametrize(
    ("word", "name"),
    [("t1gd", "T1CE"), ("T1c", "T1CE"), ("t1n", "T1"), ("t2f", "FLAIR"), ("PT", "PET"), ("x9", "X9")],
)
def test_words_for_one_thing(word, name):
    assert canonical(word) == name


def test_channels_are_chosen_by_name_then_by_pattern():
    chosen = choose_channels(rules(T1c="", water="^dixon.*w$"), ["T1Gd", "FLAIR", "Dixon W"], name="c-1")
    assert chosen == {"T1c": "T1Gd", "water": "Dixon W"}


def test_a_file_without_a_channels_name_is_the_only_channel():
    assert choose_channels(rules(CT=""), [""], name="c-1") == {"CT": ""}


@pytest.mark.parametrize(
    ("wanted", "declared", "reason"),
    [
        ({"CT": "", "PET": ""}, [""], "missing_channel"),
        ({"CT": ""}, ["PET"], "missing_channel"),
        ({"T1": "t1"}, ["t1", "t1n"], "ambiguous_channel"),
        ({"fat": "dixon"}, ["dixon f", "dixon w"], "ambiguous_channel"),
        ({"CT": ""}, [], "missing_channel"),
    ],
)
def test_what_is_not_clear_is_refused(wanted, declared, reason):
    with pytest.raises(InputError, match="c-1") as caught:
        choose_channels(rules(**wanted), declared, name="c-1")
    assert caught.value.reason == reason
