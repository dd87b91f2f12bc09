"""What a bundle says when something was fitted, and when nothing was."""

from dataclasses import replace

import pytest
from pydantic import ValidationError

from support.bundles import small_bundle, small_calibration


def test_what_was_fitted_stands_before_the_plan() -> None:
    plain = small_bundle()
    fitted = replace(plain, calibration=small_calibration())
    assert (plain.rules.probability_threshold, plain.rules.min_lesion_ml, plain.rules.fill_holes) == (0.5, 0.1, True)
    assert (fitted.rules.probability_threshold, fitted.rules.min_lesion_ml, fitted.rules.fill_holes) == (
        0.4,
        0.0,
        False,
    )
    assert (plain.rules.largest_only, fitted.rules.largest_only) == (False, True)
    assert (plain.temperature, fitted.temperature) == (1.0, 2.0)


def test_a_card_of_an_older_version_has_no_folds_and_one_of_a_newer_one_is_refused() -> None:
    known = small_bundle().card.model_dump(mode="json")
    older = {key: value for key, value in known.items() if key not in {"transfer", "folds", "coarse"}}
    card = type(small_bundle().card).model_validate(older)
    assert (card.transfer, card.folds, card.coarse) == ({}, (), ())
    with pytest.raises(ValidationError, match="mood"):
        type(card).model_validate({**known, "mood": "good"})
