import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lesionflow.config import load_section
from lesionflow.errors import ArtifactError, ConfigError
from lesionflow.inference import Segmenter
from lesionflow.io.stores.bundles import read_bundle
from lesionflow.io.stores.cases import image_path, mask_path, read_case
from lesionflow.io.stores.preprocessed import IndexEntry, case_file, read_index, write_case, write_index
from lesionflow.models import build_model
from lesionflow.registry.tracking import Tracker
from lesionflow.steps import STEPS, run_step
from lesionflow.steps.revision import code_revision
from support.training_cases import blob_case, empty_case
from support.training_workspace import TRAIN, VALIDATION, make_inputs, make_plan, train_params

REPO = Path(__file__).resolve().parents[4]


@pytest.fixture
def store(tmp_path, monkeypatch):
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("LESIONFLOW_WORKERS", "1")
    monkeypatch.setenv("LESIONFLOW_DEVICE", "cpu")
    return uri


def train(inputs, bundle, **changes):
    return run_step("train", train_params(REPO, **changes), inputs, {"bundle": bundle})


def runs_of(store):
    tracker = Tracker(store, "blobs")
    return tracker.client, tracker.client.search_runs([tracker.experiment_id])


def test_a_training_leaves_a_bundle_and_a_run(store, tmp_path):
    inputs, bundle_folder = make_inputs(tmp_path), tmp_path / "models" / "candidate"
    counts = train(inputs, bundle_folder)
    bundle = read_bundle(bundle_folder)
    card = bundle.card
    assert counts["epochs"] == card.epochs == 3
    assert counts["validation_dice"] == card.validation_dice
    assert 0 < counts["minutes"] < 2
    assert (card.trained_cases, card.validation_cases) == (TRAIN, VALIDATION)
    assert card.train_params["max_epochs"] == 3
    assert bundle.plan == make_plan()
    network = build_model(bundle.plan.architecture, in_channels=3, out_channels=1, dimensions=2)
    assert {k: tuple(v.shape) for k, v in network.state_dict().items()} == {
        k: v.shape for k, v in bundle.weights.items()
    }
    assert {p.name for p in bundle_folder.parent.iterdir()} == {"candidate", "attestations"}

    client, (run,) = runs_of(store)
    assert run.info.run_id == card.run_id
    assert run.info.status == "FINISHED"
    assert run.info.run_name.startswith("unet-dice_bce-2")
    assert run.data.params["train.learning_rate"] == "0.005"
    assert run.data.params["train.augmentation.noise_std"] == "0.1"
    assert run.data.params["plan.batch_size"] == "4"
    assert run.data.params["n_cases.train"] == "2"
    assert run.data.tags["data_revision"] == card.data_revision
    assert run.data.tags["stopped_by"] == "max_epochs"
    assert run.data.metrics["best/val_dice"] == pytest.approx(card.validation_dice)
    assert [m.step for m in client.get_metric_history(run.info.run_id, "val/dice")] == [1, 2, 3]
    assert {"train/loss", "val/loss", "lr", "epoch_s"} <= set(run.data.metrics)
    assert {a.path for a in client.list_artifacts(run.info.run_id, "training")} == {
        "training/history.csv", "training/curves.png", "training/augmentation.png",
    }  # fmt: skip


def test_what_validation_says_of_the_weights_is_in_the_bundle_and_in_the_run(store, tmp_path):
    inputs, folder = make_inputs(tmp_path), tmp_path / "candidate"
    train(inputs, folder, max_epochs=8, batches_per_epoch=20)
    bundle = read_bundle(folder)
    fitted = bundle.calibration
    assert fitted.cases == VALIDATION
    assert fitted.dice_after >= fitted.dice_before
    assert fitted.ece_after <= fitted.ece_before
    assert fitted.targets[0].name == "tumor"
    assert fitted.profile is None, "two training cases say nothing of what is usual"
    assert "calibration.json" in (folder / "SHA256SUMS").read_text()
    # The figures are those of the path that serves: whole studies, in their own space.
    segmenter = Segmenter(bundle, device="cpu")
    scores = []
    for case_id in VALIDATION:
        case = read_case(inputs["cases"], case_id)
        found = segmenter.segment(case.volume, case_id=case_id).mask.labels
        both = np.count_nonzero(found & case.reference_mask.labels)
        scores.append(2 * both / (np.count_nonzero(found) + np.count_nonzero(case.reference_mask.labels)))
    assert np.mean(scores) == pytest.approx(fitted.dice_after, abs=1e-9)
    _, (run,) = runs_of(store)
    assert run.data.metrics["calibration/temperature"] == fitted.temperature
    assert run.data.metrics["calibration/dice_source_space"] == pytest.approx(fitted.dice_after)


@pytest.mark.parametrize(("lost", "words"), [
    (lambda cases: image_path(cases, "c-1", 0), "image of case c-1"),
    (lambda cases: mask_path(cases, VALIDATION[0]), f"reference mask of the validation case {VALIDATION[0]}"),
])  # fmt: skip
def test_cases_that_the_end_will_need_are_asked_for_at_the_beginning(store, tmp_path, lost, words):
    inputs = make_inputs(tmp_path)
    lost(inputs["cases"]).unlink()
    with pytest.raises(ArtifactError, match=words):
        train(inputs, tmp_path / "candidate")
    assert list(runs_of(store)[1]) == []


def test_the_same_params_and_data_give_the_same_weights_and_other_params_others(store, tmp_path):
    inputs = make_inputs(tmp_path)
    for name, changes in (("one", {}), ("two", {}), ("three", {"seed": 99})):
        train(inputs, tmp_path / name, max_epochs=1, **changes)
    one, two, three = (read_bundle(tmp_path / name) for name in ("one", "two", "three"))
    assert all(np.array_equal(one.weights[k], two.weights[k]) for k in one.weights)
    assert one.card.data_revision == two.card.data_revision
    assert one.calibration == two.calibration
    assert not all(np.array_equal(one.weights[k], three.weights[k]) for k in one.weights)


def test_killed_and_started_again_it_ends_like_an_undisturbed_one_in_one_run(store, tmp_path, caplog):
    inputs = make_inputs(tmp_path)
    epochs = {"max_epochs": 6, "batches_per_epoch": 20}
    train(inputs, tmp_path / "undisturbed", **epochs)
    bundle = tmp_path / "killed"
    script = textwrap.dedent(f"""
        import sys
        sys.path[:0] = [{str(REPO / "tests")!r}]
        from pathlib import Path
        from lesionflow.steps import run_step
        from support.training_workspace import train_params
        inputs = { ({k: str(v) for k, v in inputs.items()})!r}
        run_step("train", train_params(Path({str(REPO)!r}), **{epochs!r}), {{k: Path(v) for k, v in inputs.items()}},
                 {{"bundle": Path({str(bundle)!r})}})
    """)
    process = subprocess.Popen([sys.executable, "-c", script])
    checkpoint, deadline = tmp_path / "killed.work" / "last.ckpt", time.monotonic() + 120
    while not checkpoint.exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not bundle.exists()
    with caplog.at_level("INFO", logger="lesionflow"):
        counts = train(inputs, bundle, **epochs)
    assert "going on after epoch" in caplog.text
    assert counts["epochs"] == 6
    one, two = read_bundle(tmp_path / "undisturbed"), read_bundle(bundle)
    assert all(np.array_equal(one.weights[k], two.weights[k]) for k in one.weights)
    _, runs = runs_of(store)
    assert {run.info.run_id for run in runs} == {one.card.run_id, two.card.run_id}
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert not (tmp_path / "killed.work").exists()


def test_three_dimensions_train_too_and_give_the_same_weights_again(store, tmp_path):
    inputs = make_inputs(tmp_path, make_plan(dimensions=3, patch_size=(8, 24, 32)))
    for name in ("one", "two"):
        train(inputs, tmp_path / name, max_epochs=1, batches_per_epoch=4)
    one, two = read_bundle(tmp_path / "one"), read_bundle(tmp_path / "two")
    assert next(iter(one.weights.values())).ndim == 5
    assert all(
        np.isfinite(one.weights[k]).all() and np.array_equal(one.weights[k], two.weights[k]) for k in one.weights
    )


@pytest.mark.parametrize(
    "plan", [make_plan(), make_plan(dimensions=3, patch_size=(8, 24, 32))], ids=["slices", "volumes"]
)
def test_cases_of_which_a_part_is_not_known_are_trained_on_and_calibrated_by(store, tmp_path, plan):
    """The upper half of two cases is not outlined: no weight is lost, and validation has figures."""

    def partly(number):
        case = blob_case(number)
        if number in {0, 2}:
            case.mask[5:] = 255
        return replace(case, foreground={v: p for v in (0, 1, 255) if len(p := np.argwhere(case.mask == v))}
                       if number in {0, 2} else case.foreground)  # fmt: skip

    counts = train(make_inputs(tmp_path, plan, make_case=partly), tmp_path / "bundle", max_epochs=2)
    bundle = read_bundle(tmp_path / "bundle")
    assert 0.0 <= counts["validation_dice"] <= 1.0
    assert all(np.isfinite(weights).all() for weights in bundle.weights.values())
    assert bundle.calibration is not None
    _, (run,) = runs_of(store)
    assert np.isfinite(run.data.metrics["val/loss"])


def test_large_data_stay_compressed_and_give_the_same_weights(store, tmp_path, monkeypatch):
    inputs = make_inputs(tmp_path)
    train(inputs, tmp_path / "memory", max_epochs=1)
    monkeypatch.setattr("lesionflow.steps.train.training_inputs.IN_MEMORY_BYTES", 1)
    train(inputs, tmp_path / "disk", max_epochs=1)
    one, two = read_bundle(tmp_path / "memory"), read_bundle(tmp_path / "disk")
    assert all(np.array_equal(one.weights[k], two.weights[k]) for k in one.weights)


def test_an_altered_case_is_refused(store, tmp_path):
    inputs = make_inputs(tmp_path)
    path = case_file(inputs["preprocessed"], "c-2")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"c-2.*altered.*preprocess"):
        train(inputs, tmp_path / "candidate")


def test_cases_that_could_not_be_preprocessed_are_left_out_and_named(store, tmp_path, caplog):
    inputs = make_inputs(tmp_path)
    index = read_index(inputs["preprocessed"])
    index["c-1"] = IndexEntry(key="key-1", sha256="", reason="no_outline")
    write_index(inputs["preprocessed"], index)
    train(inputs, tmp_path / "candidate", max_epochs=1)
    assert read_bundle(tmp_path / "candidate").card.trained_cases == ("c-0",)
    assert "c-1" in caplog.text


@pytest.mark.parametrize(("lost", "verb"), [(TRAIN, "train"), (VALIDATION, "validate")])
def test_no_case_left_is_refused(store, tmp_path, lost, verb):
    inputs = make_inputs(tmp_path)
    index = {k: v for k, v in read_index(inputs["preprocessed"]).items() if k not in lost}
    write_index(inputs["preprocessed"], index)
    with pytest.raises(ArtifactError, match=f"to {verb} on"):
        train(inputs, tmp_path / "candidate")


def test_a_target_that_no_training_case_has_is_refused_by_name(store, tmp_path):
    plan = make_plan()
    dataset = plan.dataset.model_copy(update={"labels": {"tumor": 1, "cyst": 2}})
    inputs = make_inputs(tmp_path, plan.model_copy(update={"dataset": dataset}))
    with pytest.raises(ArtifactError, match=r"found none with cyst.*ingest.labels"):
        train(inputs, tmp_path / "candidate")


def test_a_validation_without_tumors_is_refused(store, tmp_path):
    inputs = make_inputs(tmp_path)
    index = read_index(inputs["preprocessed"])
    for case_id in VALIDATION:
        empty = empty_case(7, (9, 51, 67))
        sha256 = write_case(case_file(inputs["preprocessed"], case_id), empty.image, empty.mask, {})
        index[case_id] = IndexEntry(key=f"empty-{case_id}", sha256=sha256)
    write_index(inputs["preprocessed"], index)
    with pytest.raises(ArtifactError, match=r"tumor in at least one of 2 validation cases.*split.fold"):
        train(inputs, tmp_path / "candidate")


def test_a_case_smaller_than_a_patch_is_trained_on(store, tmp_path):
    inputs = make_inputs(tmp_path, make_plan(patch_size=(3, 104, 120)))
    assert train(inputs, tmp_path / "candidate", max_epochs=1, batches_per_epoch=2)["epochs"] == 1


def test_a_stop_file_ends_training_with_a_bundle(store, tmp_path):
    inputs, bundle = make_inputs(tmp_path), tmp_path / "candidate"
    work = tmp_path / "candidate.work"

    def touch_when_it_trains():
        while not (work / "last.ckpt").exists():
            time.sleep(0.005)
        (work / "stop").touch()

    threading.Thread(target=touch_when_it_trains, daemon=True).start()
    counts = train(inputs, bundle, max_epochs=10_000, early_stopping_patience_epochs=10_000)
    assert 1 <= counts["epochs"] < 10_000
    assert read_bundle(bundle).card.epochs == counts["epochs"]
    assert not work.exists()
    _, (run,) = runs_of(store)
    assert run.data.tags["stopped_by"] == "request"


def test_what_is_found_in_validation_is_logged_as_pictures(store, tmp_path):
    train(make_inputs(tmp_path), tmp_path / "candidate", picture_every_epochs=2)
    client, (run,) = runs_of(store)
    names = {Path(a.path).name for a in client.list_artifacts(run.info.run_id, "images")}
    assert {name.split("+step+")[1].split("+")[0] for name in names} == {"2"}, names


def test_a_broken_plan_is_refused(store, tmp_path):
    inputs = make_inputs(tmp_path)
    inputs["plan"].write_text("{}")
    with pytest.raises(ArtifactError, match="Run plan again"):
        train(inputs, tmp_path / "candidate")


def test_a_failed_training_fails_its_run(store, tmp_path):
    inputs = make_inputs(tmp_path)
    with pytest.raises(Exception, match="first epoch"):
        train(inputs, tmp_path / "candidate", learning_rate=1e30)
    _, (run,) = runs_of(store)
    assert run.info.status == "FAILED"
    assert not (tmp_path / "candidate").exists()


def test_the_code_revision_is_a_commit_or_said_to_be_unknown(tmp_path, monkeypatch):
    monkeypatch.delenv("LESIONFLOW_CODE_REVISION", raising=False)
    assert code_revision(tmp_path) == "unknown"
    assert code_revision(tmp_path / "site-packages") == "unknown"
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c"]
    for arguments in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "x"]):
        subprocess.run([*git, *arguments], cwd=tmp_path, check=True)
    commit = subprocess.run([*git, "rev-parse", "HEAD"], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert code_revision(tmp_path) == commit.stdout.strip()
    monkeypatch.setenv("LESIONFLOW_CODE_REVISION", "abc")
    assert code_revision(tmp_path) == "abc"


def test_the_params_of_the_test_are_those_of_the_step():
    load_section(STEPS["train"].section, train_params(REPO), "train")


def test_what_is_no_picture_is_not_inverted(store, tmp_path):
    augmentation = train_params(REPO)["augmentation"] | {"inversion_probability": 0.2}
    with pytest.raises(ConfigError, match=r"inversion_probability.*CT \(ct\)"):
        train(make_inputs(tmp_path), tmp_path / "candidate", augmentation=augmentation)
