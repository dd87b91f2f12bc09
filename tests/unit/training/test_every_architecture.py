"""Every architecture trains two epochs on cases of its kind, is stored, read again, and finds the same."""

import math

import pytest
import torch

from lesionflow.data.bundle import Bundle, Card
from lesionflow.data.plan import ArchitecturePlan
from lesionflow.io.stores.bundles import read_bundle, write_bundle
from lesionflow.models import ARCHITECTURES, build_model, size_multiple
from lesionflow.training import CaseDataModule, PatchShape, fit
from lesionflow.training.batches.sampling import TrainingPatches
from lesionflow.training.batches.slabs import ValidationSlabs
from lesionflow.training.module import count_voxels, dice_of_counts
from support.training_cases import RECIPE, blob_case
from support.training_workspace import make_plan

ALL = [(name, d) for name, architecture in ARCHITECTURES.items() for d in architecture.dimensions]
TARGETS = ((1,),)


def plan_of(name, dimensions):
    architecture = ArchitecturePlan(name=name, options=dict(ARCHITECTURES[name].small_options))
    multiple = size_multiple(architecture)
    size = [multiple * math.ceil(n / multiple) for n in (8, 24, 32)]
    patch = (3, *size[1:]) if dimensions == 2 else tuple(size)
    return make_plan(dimensions, patch).model_copy(update={"architecture": architecture})


def data_of(plan):
    patch = PatchShape(plan.patch_size, plan.dimensions)
    cases = [blob_case(seed, (9, 32, 43)) for seed in range(3)]
    patches = TrainingPatches(cases[:2], TARGETS, patch, foreground_fraction=0.5, augmentation=None, seed=1)
    slabs = ValidationSlabs(cases[2:], TARGETS, patch, max_slices=4, multiple=size_multiple(plan.architecture))
    return CaseDataModule(patches, slabs, batch_size=2, batches_per_epoch=2)


def build(plan):
    return build_model(plan.architecture, in_channels=plan.in_channels, out_channels=1, dimensions=plan.dimensions)


@pytest.mark.parametrize(("name", "dimensions"), ALL)
def test_it_trains_is_stored_and_finds_the_same_again(name, dimensions, tmp_path):
    plan = plan_of(name, dimensions)
    data = data_of(plan)
    result = fit(lambda: build(plan), data, RECIPE_OF_TWO, device="cpu", n_threads=2, on_epoch=lambda _: None)
    card = Card(
        lesionflow_version="0", code_revision="", data_revision="", run_id="", tracking_experiment="",
        plan_sha256=plan.digest(), trained_cases=(), validation_cases=(), validation_dice=result.validation_dice,
        epochs=result.epochs, train_params={},
    )  # fmt: skip
    write_bundle(tmp_path / "bundle", Bundle(plan, result.weights, card))
    bundle = read_bundle(tmp_path / "bundle")
    network = build(bundle.plan).eval()
    network.load_state_dict({key: torch.from_numpy(array) for key, array in bundle.weights.items()})
    assert found_dice(network, data.slabs) == pytest.approx(bundle.card.validation_dice, abs=1e-9)
    assert result.epochs == 2


def found_dice(network, slabs):
    """Of the one validation case, as `fit` judges it."""
    counts = torch.zeros(1, 3, dtype=torch.int64)
    with torch.inference_mode():
        for batch in (slabs[i] for i in range(len(slabs))):
            logits = network(batch.image)[(..., *(slice(n) for n in batch.mask.shape[2:]))]
            counts += count_voxels(torch.sigmoid(logits) >= 0.5, batch.mask.bool())
    return dice_of_counts(counts).mean().item()


RECIPE_OF_TWO = RECIPE.__class__(**{**RECIPE.__dict__, "max_epochs": 2, "precision": "float32", "learning_rate": 1e-2})
