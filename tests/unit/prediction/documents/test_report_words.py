import pytest

from lesionflow.prediction.documents.report_words import (
    NO_CHECK,
    alerts_of,
    conclusion_of,
    doubt_of,
    model_words,
    passport_rows,
    place_words,
    target_words,
)
from support.told_reports import UNLIKE, doubtful_report, good_report


def test_findings_in_sentences_by_hand():
    words = target_words(good_report()["targets"][0])
    assert words.sentences == (
        "61.30 ml in 1 lesion.",
        (
            "The volume lies between 52.00 and 70.10 ml with a probability of 90% (of nine in ten models fitted so, between 81% and "
            "97% of new patients)."
        ),
        "The model expects a Dice of 0.82 of this mask; such predictions were off by 0.06 on average.",
    )
    assert words.lesions == (("1", "61.30", "58.2", "44.9", "L 41.0, A 12.5, H 873.0", "98%"),)
    assert not words.needs_review


def test_what_is_not_known_is_said():
    target = good_report()["targets"][0] | {
        "n_lesions": 0,
        "volume_ml": 0.0,
        "volume_interval": None,
        "predicted_dice": None,
    }
    target["lesions"] = [{"volume_ml": 1.0, "center_mm": [-1, 2, -3], "confidence": 0.5, "longest_diameter_mm": None}]
    words = target_words(target)
    assert words.sentences[0] == "None was found."
    assert "not known" in words.sentences[1]
    assert words.lesions[0] == ("1", "1.00", "not known", "not known", "R 1.0, P 2.0, F 3.0", "50%")
    report = good_report() | {"input_check": None}
    assert alerts_of(report) == (NO_CHECK,)
    assert doubt_of(report) == ""


def test_places_by_the_side_that_they_lie_on():
    assert place_words((-41.0, -12.5, 0.0)) == "R 41.0, A 12.5, H 0.0"


@pytest.mark.parametrize(
    ("part", "said"), [("input_check", "UNLIKE TRAINING DATA"), ("targets", "NEEDS REVIEW: the mask of tumor")]
)
def test_each_reason_for_doubt_is_said_alone_too(part, said):
    report = good_report() | {part: doubtful_report()[part]}
    assert doubt_of(report).startswith(said)


def test_a_conclusion_begins_with_warnings_and_ends_with_what_it_is_for():
    lines = conclusion_of(doubtful_report()).splitlines()
    assert lines[0] == f"WARNING: {UNLIKE}"
    assert lines[2].startswith("tumor: 61.30 ml")
    assert lines[-1] == doubtful_report()["disclaimer"]


@pytest.mark.parametrize(
    ("state", "said"), [("signed", "not trusted here"), ("trusted", "is trusted"), ("unsigned", "not signed")]
)
def test_who_vouches_for_the_model(state, said):
    assert said in model_words(good_report() | {"seal": {"state": state, "key_id": ""}})


def test_a_passport_tells_what_it_has():
    rows = dict(passport_rows(good_report()))
    assert rows["Code"] == "928bc8b"
    assert "Seal" not in rows
