"""One name in many spellings: told alike, and patterns that mind the letters are left to what stands there."""

import unicodedata

import pytest

from lesionflow.io.spelling import fits, initials, is_background, key, same

ONE = [
    "Non-Enhancing Tumour",
    "non_enhancing tumor",
    "NON ENHANCING TUMOR",
    "non–enhancing\u00a0tumor",
    "ｎｏｎ-ｅｎｈａｎｃｉｎｇ tumor",
]


@pytest.mark.parametrize("name", ONE)
def test_spellings_of_one_name_share_a_key(name: str) -> None:
    assert key(name) == "nonenhancingtumor"


def test_other_names_have_other_keys() -> None:
    assert len({key(name) for name in ("GTV 1", "GTV 11", "GTVn", "GTV+", "NCR/NET", "NCRNET", "")}) == 7
    assert not same("", " ")


def test_composed_and_decomposed_letters_are_one() -> None:
    for name in ("Läsion", "лёгкое", "腫瘍ガ"):
        assert key(unicodedata.normalize("NFD", name)) == key(unicodedata.normalize("NFC", name))
        assert fits(unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name))
        assert fits(unicodedata.normalize("NFD", name), unicodedata.normalize("NFC", name))


@pytest.mark.parametrize(("name", "letters"), [("whole tumor", "wt"), ("Tumor-Core", "tc"), ("edema", ""), ("", "")])
def test_initials_are_of_several_words(name: str, letters: str) -> None:
    assert initials(name) == letters


def test_a_name_and_its_initials_are_one() -> None:
    assert same("WT", "whole_tumor")
    assert same("Enhancing Tumour", "et")
    assert not same("WT", "tumor core")
    assert not same("w", "whole")


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("(?i)non_?enhancing.*", "Non-enhancing tumor"),
        ("(?i)non_?enhancing.*", "nonenhancing"),
        ("liver tumor", "liver_tumour"),
        ("liver_tumour", "liver tumor"),
        ("Peritumoral_oedema", "Peritumoral edema"),
        ("(?i)gtv_?mass.*", "GTV mass 2"),
        ("GTV", "ＧＴＶ"),
        ("GTV", "GTV\u200b"),
        ("gtv-1", "gtv 1"),
    ],
)
def test_a_pattern_fits_another_spelling(pattern: str, name: str) -> None:
    assert fits(pattern, name)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("(?!non_).*enhancing", "non_enhancing"),
        ("(?i).*(?<!non-)enhancing", "non-enhancing"),
        ("gtv[^_]*", "gtv_old"),
        (r"gtv\w*", "gtv old"),
        ("GTV", "GTV old"),
        ("GTV", "gtv"),
        ("gtvmass", "gtv mass"),
        ("enhancing.*", "non-enhancing"),
    ],
)
def test_a_pattern_does_not_fit_against_its_sense(pattern: str, name: str) -> None:
    assert not fits(pattern, name)


def test_any_case_is_asked_for() -> None:
    assert fits("GTV", "gtv", any_case=True)


@pytest.mark.parametrize(("name", "is_one"), [("Background", True), (" back-ground", True), ("background fat", False)])
def test_background_is_no_structure(name: str, is_one: bool) -> None:  # noqa: FBT001
    assert is_background(name) == is_one
