"""What an imported model learned from: recorded, stated, or not known, and the bundle is one like any other."""

import json

import pytest

from lesionflow.config import Settings
from lesionflow.io.stores.bundles import read_bundle
from lesionflow.registry.tracking import Tracker
from lesionflow.steps.exchange.nnunet_import import import_nnunet
from support.case_folders import write_cases
from support.nnunet import write_model_folder
from support.stores import empty_store


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cases")
    write_cases(folder / "cases", 3)
    return folder / "cases"


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return Settings(MLFLOW_TRACKING_URI=empty_store(tmp_path_factory.mktemp("store")))


def test_a_bundle_is_plain_files_whose_run_is_known(cases, settings, tmp_path):
    model = write_model_folder(tmp_path / "m", folds=("0", "1"), validated=("c-000000", "c-000001"))
    done = import_nnunet(model, cases, tmp_path / "bundle", settings)
    bundle = read_bundle(tmp_path / "bundle")
    assert (done.digest, done.folds) == (bundle.digest, ("0", "1"))
    assert bundle.plan.foreign.folds == ("0", "1")
    assert bundle.card.trained_cases == ("c-000000", "c-000001")
    assert (bundle.card.learned_from, bundle.card.validation_dice) == ("recorded", 0.75)
    assert Tracker(settings.tracking_uri, "knees").has_run(bundle.card.run_id)


@pytest.mark.parametrize(
    ("validated", "stated", "told"),
    [
        ((), None, ("unknown", (), 0)),
        (("c-000000", "somebody"), None, ("unknown", ("c-000000",), 1)),
        (("c-000000", "somebody"), ["c-000002", "x", "y"], ("stated", ("c-000002",), 2)),
        ((), [], ("stated", (), 0)),
    ],
)
def test_what_is_not_whole_is_not_known_until_it_is_stated(cases, settings, tmp_path, validated, stated, told):
    model = write_model_folder(tmp_path / "m", validated=validated)
    if stated is not None:
        (tmp_path / "stated.json").write_text(json.dumps(stated))
    done = import_nnunet(
        model, cases, tmp_path / "bundle", settings, trained_on=None if stated is None else tmp_path / "stated.json"
    )
    assert tuple(done.learned_from) == told
    text = (tmp_path / "bundle/card.json").read_text()
    assert "somebody" not in text
