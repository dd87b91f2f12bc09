"""What a dataset declares of itself is refused where it contradicts itself; targets come in the order in which they are written."""

import pytest
from pydantic import ValidationError

from lesionflow.data.dataset import CASE_COLUMNS, CHANNEL_COLUMNS, Dataset

BRATS = {"name": "b", "channels": {"T1": "mr", "FLAIR": "mr"}, "labels": {"NCR": 1, "ED": 2, "ET": 3}}


def test_without_regions_each_label_is_a_target_in_the_order_declared() -> None:
    targets = Dataset(**BRATS, regions={}).targets
    assert [(t.name, t.labels) for t in targets] == [("NCR", (1,)), ("ED", (2,)), ("ET", (3,))]


def test_wider_regions_come_first_so_that_narrower_ones_are_written_over_them() -> None:
    regions = {"ET": (3,), "WT": (1, 2, 3), "TC": (1, 3)}
    targets = Dataset(**BRATS, regions=regions).targets
    assert [(t.name, t.labels) for t in targets] == [("WT", (1, 2, 3)), ("TC", (1, 3)), ("ET", (3,))]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"regions": {"WT": (1, 2, 4)}}, "the labels are"),
        ({"regions": {"WT": (1, 2, 3), "none": ()}}, "unites"),
        ({"regions": {"TC": (1, 3)}}, "every label must belong"),
        ({"channels": {}}, "channels"),
        ({"labels": {}}, "labels"),
        ({"channels": {"T1": "xray"}}, "xray"),
        ({"color": "red"}, "color"),
    ],
)
def test_what_contradicts_itself_is_refused(change: dict, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Dataset(**{**BRATS, "regions": {}, **change})


def test_no_column_stands_twice_and_none_names_anybody() -> None:
    assert len(set(CASE_COLUMNS)) == len(CASE_COLUMNS)
    assert not set(CASE_COLUMNS) & set(CHANNEL_COLUMNS)
    assert not {"patient_name", "birth_date", "institution", "study_date"} & set(CASE_COLUMNS)
