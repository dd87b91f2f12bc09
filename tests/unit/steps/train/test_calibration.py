"""What validation cases say of a network, by networks of one answer whose Dice is known by hand."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from lesionflow.data.bundle import Bundle, Card
from lesionflow.data.calibration import BackendChoice
from lesionflow.errors import ArtifactError
from lesionflow.io.stores.cases import image_path, mask_path
from lesionflow.models import build_model
from lesionflow.steps.train import calibration
from lesionflow.steps.train.calibration import calibrate, require_cases
from support.training_cases import blob_case
from support.training_workspace import make_inputs, make_plan

ALL, NOTHING = 4.0, -9.0


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    return make_inputs(tmp_path_factory.mktemp("calibration"))["cases"]


@pytest.fixture
def record(monkeypatch):
    """Keeps what is logged; no other backend is compared."""
    monkeypatch.setattr(calibration, "choose_backend", lambda *_: None)
    figures = {}
    return SimpleNamespace(log_metrics=figures.update, figures=figures)


def answering(logit, validation, training=("c-0", "c-1")):
    """A network that says the same of every voxel."""
    plan = make_plan()
    network = build_model(plan.architecture, in_channels=plan.in_channels, out_channels=1, dimensions=2)
    weights = {name: np.zeros_like(value.numpy()) for name, value in network.state_dict().items()}
    head = [name for name, value in weights.items() if name.endswith("bias") and value.shape == (1,)][-1]
    weights[head] = np.full(1, logit, np.float32)
    card = Card(
        lesionflow_version="0", code_revision="", data_revision="", run_id="", tracking_experiment="blobs",
        plan_sha256=plan.digest(), trained_cases=training, validation_cases=validation, validation_dice=0.0, epochs=1,
        train_params={},
    )  # fmt: skip
    return Bundle(plan, weights, card)


def dice_of_all(case_id):
    """Of a mask of all voxels: 2 n / (n + N)."""
    mask = blob_case(int(case_id.removeprefix("c-"))).mask
    return 2 * int(mask.sum()) / (int(mask.sum()) + mask.size)


def test_the_cases_of_the_card_are_fitted_on_and_their_dice_is_that_of_whole_studies(cases, record):
    bundle = answering(ALL, ("c-3", "c-2"))
    fitted = calibrate(bundle, cases, record, device="cpu")
    assert fitted.calibration.cases == ("c-2", "c-3")
    expected = (dice_of_all("c-2") + dice_of_all("c-3")) / 2
    assert fitted.calibration.dice_before == pytest.approx(expected, abs=1e-9)
    assert fitted.backend is None
    assert replace(fitted, calibration=None) is not bundle
    assert (fitted.plan, fitted.weights, fitted.card) == (bundle.plan, bundle.weights, bundle.card)
    assert bundle.calibration is None


def test_what_was_fitted_is_told_to_the_run(cases, record):
    fitted = calibrate(answering(ALL, ("c-2",)), cases, record, device="cpu").calibration
    assert record.figures.pop("calibration/seconds") > 0
    assert record.figures == {
        "calibration/temperature": fitted.temperature,
        "calibration/ece": fitted.ece_after,
        "calibration/ece_before": fitted.ece_before,
        "calibration/dice_source_space": fitted.dice_after,
        "calibration/dice_source_space_before": pytest.approx(dice_of_all("c-2")),
        "calibration/n_cases": 1,
        "calibration/n_patients": 1,
        "calibration/dice_cross_fitted": fitted.dice_cross_fitted,
    }
    # It says 0.982 of all, and few are; 20,000 of 30,753 voxels are drawn, of which three standard deviations are 0.004.
    mask = blob_case(2).mask
    assert fitted.ece_before == pytest.approx(1 / (1 + np.exp(-ALL)) - mask.mean(), abs=4e-3)


def test_each_case_is_judged_by_the_network_that_has_not_learned_from_it(cases, record):
    folds = (answering(ALL, ("c-1",)), answering(NOTHING, ("c-2",)), answering(ALL, ("c-3",)))
    bundle = answering(NOTHING, ("c-1", "c-2", "c-3"))
    fitted = calibrate(bundle, cases, record, device="cpu", out_of_fold_models=folds).calibration
    # Nothing found where something is has Dice 0.
    expected = (dice_of_all("c-1") + 0.0 + dice_of_all("c-3")) / 3
    assert fitted.dice_before == pytest.approx(expected, abs=1e-9)


def test_studies_of_one_patient_are_one(cases, record, monkeypatch):
    monkeypatch.setattr(calibration, "read_patients", lambda _: {"c-1": "p-1", "c-2": "p-1", "c-3": "p-3"})
    fitted = calibrate(answering(ALL, ("c-1", "c-2", "c-3")), cases, record, device="cpu").calibration
    assert (len(fitted.cases), fitted.n_patients) == (3, 2)
    of_first = (dice_of_all("c-1") + dice_of_all("c-2")) / 2
    assert fitted.dice_before == pytest.approx((of_first + dice_of_all("c-3")) / 2, abs=1e-9)


def test_of_two_networks_that_may_judge_a_case_the_first_does(cases, record):
    for first, second, dice in ((ALL, NOTHING, dice_of_all("c-3")), (NOTHING, ALL, 0.0)):
        models = (answering(first, ("c-3",)), answering(second, ("c-3",)))
        bundle = answering(NOTHING, ("c-3",))
        fitted = calibrate(bundle, cases, record, device="cpu", out_of_fold_models=models).calibration
        assert fitted.dice_before == pytest.approx(dice, abs=1e-9)


def test_what_runs_the_network_is_chosen_with_what_was_fitted_and_told(cases, record, monkeypatch, caplog):
    choice = BackendChoice(
        name="openvino", compared="openvino 2026.1", n_cases=1, equal_fraction=0.99995, dice=0.9999, seconds=0.5,
        seconds_pytorch=2.0,
    )  # fmt: skip
    asked = []
    monkeypatch.setattr(calibration, "choose_backend", lambda *how: asked.append(how) or choice)
    with caplog.at_level("INFO", logger="lesionflow"):
        bundle = calibrate(answering(ALL, ("c-3",)), cases, record, device="cpu")
    assert bundle.backend == choice
    ((seen, read, case_ids),) = asked
    assert seen.calibration == bundle.calibration
    assert (read("c-3").case_id, case_ids) == ("c-3", ("c-3",))
    told = {name: value for name, value in record.figures.items() if "backend" in name}
    assert told == {
        "calibration/backend_n_cases": 1, "calibration/backend_equal_fraction": 0.99995,
        "calibration/backend_dice": 0.9999, "calibration/backend_seconds": 0.5,
        "calibration/backend_seconds_pytorch": 2.0,
    }  # fmt: skip
    assert "openvino runs the network on CPUs" in caplog.text


@pytest.mark.parametrize(
    ("lost", "words"),
    [
        (lambda folder: image_path(folder, "c-1", 0), "Expected the image of case c-1 in cases, found none"),
        (lambda folder: image_path(folder, "c-3", 0), "Expected the image of case c-3"),
        (lambda folder: mask_path(folder, "c-3"), "reference mask of the validation case c-3 in cases, found none"),
    ],
)
def test_what_the_end_will_need_is_asked_for_by_name(tmp_path, lost, words):
    folder = make_inputs(tmp_path)["cases"]
    require_cases(folder, validation=("c-2", "c-3"), training=("c-0", "c-1"))
    lost(folder).unlink()
    with pytest.raises(ArtifactError, match=words):
        require_cases(folder, validation=("c-2", "c-3"), training=("c-0", "c-1"))


def test_a_reference_is_asked_of_validation_cases_alone(tmp_path):
    folder = make_inputs(tmp_path)["cases"]
    mask_path(folder, "c-0").unlink()
    require_cases(Path(folder), validation=("c-2",), training=("c-0",))
