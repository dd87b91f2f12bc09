"""Training that starts from a bundle, a registered version or a file."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from lesionflow.config import Settings, TransferConfig
from lesionflow.data.plan import ArchitecturePlan
from lesionflow.errors import ArtifactError, ConfigError
from lesionflow.io.stores.bundles import read_bundle, write_bundle
from lesionflow.models import ARCHITECTURES
from lesionflow.models.encoders.efficientnet import EfficientNetEncoder
from lesionflow.prediction import MLFLOW_PROGRAM
from lesionflow.registry.mlflow_store import connect
from lesionflow.registry.registered_bundles import register_bundle
from lesionflow.registry.tracking import Tracker
from lesionflow.steps import run_step
from lesionflow.steps.train.transfer import find_source
from support.bundles import small_bundle
from support.champions import set_champion
from support.training_workspace import make_inputs, make_plan, train_params

REPO = Path(__file__).resolve().parents[4]


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("LESIONFLOW_WORKERS", "1")
    monkeypatch.setenv("LESIONFLOW_DEVICE", "cpu")
    monkeypatch.setenv("LESIONFLOW_CACHE_DIR", str(tmp_path / "cache"))
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


def transfer(source, **changes):
    return {"source": str(source), "sha256": "", "frozen_epochs": 0, "encoder_learning_rate_fraction": 1.0, **changes}


def train(inputs, bundle, **changes):
    params = train_params(REPO, max_epochs=1, batches_per_epoch=2, precision="float32", **changes)
    run_step("train", params, inputs, {"bundle": bundle})
    return read_bundle(bundle)


def deeper():
    plan = make_plan()
    options = {**plan.architecture.options, "depth": 2}
    return plan.model_copy(update={"architecture": plan.architecture.model_copy(update={"options": options})})


def test_a_registered_version_is_started_from_and_the_card_tells(store, tmp_path, caplog):
    inputs, folder = make_inputs(tmp_path), tmp_path / "first"
    first = train(inputs, folder)
    version = register_bundle(
        Tracker(store, "blobs"), first.card.run_id, folder, "blobs", program=MLFLOW_PROGRAM, tags={}
    )
    set_champion("blobs", version.version, store)
    with caplog.at_level("INFO", logger="lesionflow"):
        # The encoder never thaws, so what the bundle holds is what was taken.
        second = train(
            make_inputs(tmp_path / "other", deeper()), tmp_path / "second",
            transfer=transfer("models:/blobs@champion", frozen_epochs=9),
        )  # fmt: skip
    told = second.card.transfer
    assert (told["source"], told["digest"]) == ("models:/blobs@champion", first.digest)
    assert sorted([*told["loaded"], *told["adapted"], *told["fresh"]]) == sorted(second.weights)
    assert {name.split(".")[1] for name in told["unused"]} <= {"2", "3"}
    kept = [name for name in second.weights if name.startswith("down.")]
    assert kept
    assert all(np.array_equal(second.weights[name], first.weights[name]) for name in kept)
    assert f"{len(told['loaded'])} weights taken from models:/blobs@champion" in caplog.text
    assert "has learned from" not in caplog.text
    run = Tracker(store, "blobs").client.get_run(second.card.run_id)
    assert run.data.tags["transfer_digest"] == first.digest
    assert run.data.params["train.transfer.source"] == "models:/blobs@champion"


def test_a_bundles_folder_is_started_from_and_known_cases_are_told(store, tmp_path, caplog):
    inputs, folder = make_inputs(tmp_path), tmp_path / "first"
    first = train(inputs, folder)
    split = inputs["splits"].read_text()
    inputs["splits"].write_text(split.replace('"c-0"', '"x"').replace('"c-2"', '"c-0"').replace('"x"', '"c-2"'))
    with caplog.at_level("WARNING", logger="lesionflow"):
        second = train(inputs, tmp_path / "second", transfer=transfer(folder))
    assert "has learned from 1 of the validation cases (c-0)" in caplog.text
    assert second.card.transfer["fresh"] == []
    assert second.card.transfer["digest"] == first.digest


def test_without_transfer_the_card_says_nothing(store, tmp_path):
    assert train(make_inputs(tmp_path), tmp_path / "first").card.transfer == {}


def test_a_file_is_a_source_too(store, tmp_path):
    torch.save({"conv1.weight": torch.zeros(2, 3, 7, 7)}, tmp_path / "weights.pth")
    found = find_source(TransferConfig(**transfer(tmp_path / "weights.pth")), Settings())
    assert found is not None
    assert list(found.weights) == ["conv1.weight"]
    with pytest.raises(ArtifactError, match="sha256"):
        find_source(TransferConfig(**transfer(tmp_path / "weights.pth", sha256="0" * 8)), Settings())


def test_what_a_model_of_others_learned_from_is_no_better_known_to_whoever_starts_from_it(store, tmp_path, caplog):
    whole = small_bundle()
    older = {"source": "models:/old/1", "digest": "d" * 64}
    for name, change, known in (
        ("ours", {}, [True]),
        ("stated", {"learned_from": "stated"}, [True]),
        ("imported", {"learned_from": "unknown"}, [False]),
        # Written before cards listed ancestors.
        ("early", {"transfer": older}, [True, False]),
    ):
        write_bundle(tmp_path / name, dataclasses.replace(whole, card=whole.card.model_copy(update=change)))
        found = find_source(TransferConfig(**transfer(tmp_path / name)), Settings())
        assert [ancestor.cases_known for ancestor in found.ancestors] == known, name
        caplog.clear()
        found.warn_of_unknown_cases()
        unknown = {"imported": str(tmp_path / "imported"), "early": "models:/old/1"}.get(name, "")
        assert bool(caplog.records) is bool(unknown)
        assert f"Nobody knows what {unknown}" in caplog.text or not unknown


def test_a_frozen_efficientnet_stays_as_its_file_says(store, tmp_path):
    """Batch statistics, and channels that the file's first convolution did not know, included."""
    torch.manual_seed(1)
    given = EfficientNetEncoder("efficientnet-b0", 3, 0.0).state_dict()
    for name, weight in given.items():
        if name.endswith(("running_mean", "running_var")):
            weight.uniform_(0.5, 1.5)
    torch.save({**given, "_fc.weight": torch.zeros(1000, 1280)}, tmp_path / "efficientnet-b0.pth")
    options = ARCHITECTURES["efficientnet_unet"].small_options
    architecture = ArchitecturePlan(name="efficientnet_unet", options=dict(options))
    plan = make_plan(2, (1, 32, 64)).model_copy(update={"architecture": architecture})
    settings = transfer(tmp_path / "efficientnet-b0.pth", frozen_epochs=9, encoder_learning_rate_fraction=0.1)
    bundle = train(make_inputs(tmp_path, plan), tmp_path / "bundle", transfer=settings)
    assert bundle.card.transfer["adapted"] == ["encoder._conv_stem.weight"]
    assert bundle.card.transfer["unused"] == ["encoder._fc.weight"]
    kept = [name for name in given if name != "_conv_stem.weight"]
    assert all(np.array_equal(bundle.weights[f"encoder.{name}"], given[name]) for name in kept)


@pytest.mark.parametrize(
    ("source", "kind", "words"),
    [
        ("models:/nothing@champion", ArtifactError, "nothing"),
        ("models:/nothing", ConfigError, "models:/NAME@champion"),
        ("no/such/place", ConfigError, "address"),
        ("https://example.org/weights.pth", ArtifactError, "unchecked"),
    ],
)
def test_what_is_no_source_is_refused_by_name(store, source, kind, words):
    connect(store, make=True)
    with pytest.raises(kind, match=words):
        find_source(TransferConfig(**transfer(source)), Settings())


def test_regions_that_overlap_are_no_classes(store, tmp_path):
    plan = make_plan()
    dataset = plan.dataset.model_copy(
        update={"labels": {"core": 1, "edema": 2}, "regions": {"whole": (1, 2), "core": (1,)}}
    )
    inputs = make_inputs(tmp_path, plan.model_copy(update={"dataset": dataset}))
    with pytest.raises(ConfigError, match=r"dice_ce.*whole, core"):
        train(inputs, tmp_path / "candidate", loss="dice_ce")
