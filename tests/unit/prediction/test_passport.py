"""What a mask says of its own origin."""

import hashlib
import json
from datetime import datetime, timedelta, timezone

import pytest
from pydantic import ValidationError

from lesionflow import __version__
from lesionflow.prediction.mask_identity import Grid, MaskIdentity
from lesionflow.prediction.passport import Passport, make_passport
from support.bundles import small_bundle

BUNDLE = small_bundle(seed=3, run_id="run-9")
GRID = Grid(shape=(1, 1, 3), affine=(0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0))
MASK = MaskIdentity(sha256="cd" * 32, grid=GRID, targets={"tumor": (1,)})
NAMES = {"model_name": "knees", "model_version": "7", "input_sha256": "ab" * 32}


def test_training_is_told_from_prediction():
    # A quarter past one at night in a place two hours ahead of UTC: the day before.
    made = datetime(2026, 3, 1, 1, 15, 30, 999_000, tzinfo=timezone(timedelta(hours=2)))
    passport = make_passport(
        BUNDLE, mask=MASK, **NAMES, created_at=made, predicted_dice={"tumor": 0.75}, unusual_input=False
    )
    id_of = "\n".join(("ab" * 32, BUNDLE.digest, "cd" * 32))
    assert passport.model_dump() == {
        **NAMES,
        "result_id": hashlib.sha256(id_of.encode()).hexdigest()[:32],
        "mask": MASK.model_dump(),
        "picture_sha256": None,
        "study": None,
        "report_sha256": None,
        "header_sha256": None,
        "seal": passport.seal,
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
    passport = make_passport(BUNDLE, mask=MASK, **NAMES, predicted_dice={})
    assert passport.model_dump()["predicted_dice"] is None
    assert passport.model_dump()["unusual_input"] is None


def test_the_time_is_that_of_the_prediction():
    age = datetime.now().astimezone() - datetime.fromisoformat(make_passport(BUNDLE, mask=MASK, **NAMES).created_at)
    assert timedelta(seconds=-1) < age < timedelta(minutes=1)


def test_a_passport_takes_no_other_field():
    stored = make_passport(BUNDLE, mask=MASK, **NAMES).model_dump()
    with pytest.raises(ValidationError, match="patient"):
        Passport(**stored, patient="Doe")


def test_the_seal_is_over_all_but_the_time():
    passport = make_passport(BUNDLE, mask=MASK, **NAMES)
    content = {
        name: value
        for name, value in json.loads(passport.model_dump_json()).items()
        if name not in ("seal", "created_at", "study", "report_sha256", "header_sha256")
    }
    # Files of before there were the last three have this seal.
    assert passport.seal == hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    assert passport.is_unchanged
    later = passport.model_copy(update={"created_at": "2030-01-01T00:00:00+00:00"})
    assert later.is_unchanged, "files have no time"


@pytest.mark.parametrize(
    "field", ["run_id", "model_version", "input_sha256", "bundle_digest", "data_revision", "result_id"]
)
def test_a_changed_field_shows(field):
    passport = make_passport(BUNDLE, mask=MASK, **NAMES)
    assert not passport.model_copy(update={field: "other"}).is_unchanged


def test_what_lies_in_a_file_is_ascii_without_a_time_and_the_same_each_time():
    one, two = (make_passport(BUNDLE, mask=MASK, **NAMES | {"model_name": "knées"}).for_file() for _ in range(2))
    assert one == two
    assert one.isascii()
    assert "created_at" not in one
    found = Passport.model_validate_json(one)
    assert (found.model_name, found.is_unchanged, found.created_at) == ("knées", True, None)
    picture = Passport.model_validate_json(make_passport(BUNDLE, mask=MASK, **NAMES).for_file("ef" * 32))
    assert (picture.picture_sha256, picture.is_unchanged) == ("ef" * 32, True)


def test_in_short_it_fits_the_description_of_an_equipment():
    told = make_passport(BUNDLE, mask=MASK, **NAMES | {"input_sha256": "a" * 64}).in_short()
    assert len(told) < 1024
    assert BUNDLE.digest in told
