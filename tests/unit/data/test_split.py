"""A split is refused where anybody would stand in two places, or its fold is none."""

import pytest
from pydantic import ValidationError

from lesionflow.data.split import Fold, Split

GIVEN = {
    "seed": 3,
    "fold": 1,
    "folds": (Fold(train=("c1", "c2"), validation=("c3",)), Fold(train=("c3",), validation=("c1", "c2"))),
    "test": ("c4",),
    "test_patients": ("p4",),
    "other_patients": ("p1", "p2", "p3"),
}


def test_the_chosen_fold_is_what_is_trained_and_validated_on() -> None:
    split = Split(**GIVEN)
    assert (split.train, split.validation) == (("c3",), ("c1", "c2"))


@pytest.mark.parametrize(
    "change",
    [
        {"other_patients": ("p1", "p4")},
        {"test": ("c1",)},
        {"test": ("c3",)},
        {"folds": (GIVEN["folds"][0], Fold(train=("c3", "c1"), validation=("c1", "c2")))},
        {"fold": 2},
        {"fold": -1},
    ],
    ids=["a patient tested on and not", "test in train", "test in validation", "train in validation", "no such fold", "below"],
)  # fmt: skip
def test_each_thing_alone_that_contradicts_itself_is_refused(change: dict) -> None:
    with pytest.raises(ValidationError):
        Split(**{**GIVEN, **change})
