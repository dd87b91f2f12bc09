"""What a mask says of its own origin."""

from datetime import datetime, timedelta, timezone

import pytest
from pydantic import ValidationError

from lesionflow import __version__
from lesionflow.prediction.passport import Passport, make_passport
from support.bundles import small_bundle

BUNDLE = small_bundle(seed=3, run_id="run-9")
NAMES = {"model_name": "knees", "model_version": "7", "input_sha256": "ab" * 32}


def test_training_is_told_from_prediction():
    # A quarter past one at night in a place two hours ahead of UTC: the day before.
    made = datetime(2026, 3, 1, 1, 15, 30, 999_000, tzinfo=timezone(timedelta(hours=2)))
    passport = make_passport(BUNDLE, **NAMES, created_at=made, predicted_dice={"tumor": 0.75}, unusual_input=False)
    assert passport.model_dump() == {
        **NAMES,
        "run_id": "run-9",
        "bundle_digest": BUNDLE.digest,
        "plan_sha256": BUNDLE.plan.digest(),
        "code_revision": "abc123",
        "data_revision": "d" * 64,
        "lesionflow_version": __version__,
        "created_at": "2026-02-28T23:15:30+00:00",
        "predicted_dice": {"tumor": 0.75},
        "unusual_input": False,
    }
    assert BUNDLE.card.lesionflow_version == "0.1.0", "the training's version, which the passport does not repeat"


def test_what_the_model_cannot_tell_is_null_and_not_left_out():
    passport = make_passport(BUNDLE, **NAMES, predicted_dice={})
    assert passport.model_dump()["predicted_dice"] is None
    assert passport.model_dump()["unusual_input"] is None


def test_the_time_is_that_of_the_prediction():
    age = datetime.now().astimezone() - datetime.fromisoformat(make_passport(BUNDLE, **NAMES).created_at)
    assert timedelta(seconds=-1) < age < timedelta(minutes=1)


def test_a_passport_takes_no_other_field():
    stored = make_passport(BUNDLE, **NAMES).model_dump()
    with pytest.raises(ValidationError, match="patient"):
        Passport(**stored, patient="Doe")
