"""Small bundles: with any weights, for rooms that only store and move them; or with a network of one answer."""

import numpy as np

from lesionflow.data.bundle import Bundle, Card
from lesionflow.data.calibration import (
    Calibration,
    DicePrediction,
    LesionConfidence,
    MaskRules,
    RuleTrial,
    TargetConfidence,
    VolumeInterval,
)
from lesionflow.data.dataset import Dataset
from lesionflow.data.plan import ArchitecturePlan, ChannelPlan, InferencePlan, Plan
from lesionflow.models import ARCHITECTURES, build_model

DATASET = Dataset(name="knees", channels={"CT": "ct"}, labels={"tumor": 1}, regions={})


def small_plan() -> Plan:
    """A 2D plan of one CT channel."""
    return Plan(
        dataset=DATASET,
        dimensions=2,
        spacing_mm=(None, 0.8, 0.5),
        patch_size=(3, 32, 48),
        batch_size=2,
        context_slices=3,
        channels=(ChannelPlan(name="CT", kind="ct", lower=-200.0, upper=300.0, mean=40.0, std=60.0),),
        denoising="none",
        bias_field_correction=False,
        architecture=ArchitecturePlan(name="unet", options=dict(ARCHITECTURES["unet"].small_options)),
        inference=InferencePlan(
            overlap_fraction=0.25, flip_axes=(), probability_threshold=0.5, min_lesion_ml=0.1, fill_holes=True
        ),
        decisions=(),
    )


def small_bundle(seed: int = 5, run_id: str = "") -> Bundle:
    """A bundle whose weights, and so its digest, follow from the seed."""
    rng = np.random.default_rng(seed)
    plan = small_plan()
    card = Card(
        lesionflow_version="0.1.0",
        code_revision="abc123",
        data_revision="d" * 64,
        run_id=run_id,
        tracking_experiment="knees",
        plan_sha256=plan.digest(),
        trained_cases=("c-000001", "c-000002"),
        validation_cases=("c-000003",),
        validation_dice=0.5,
        epochs=3,
        train_params={"seed": seed},
    )
    weights = {"head.weight": rng.normal(size=(1, 3, 5, 7)).astype(np.float32), "head.bias": np.zeros(1, np.float32)}
    return Bundle(plan, weights, card)


def small_calibration() -> Calibration:
    """What might have been fitted for `small_plan`: every figure another one."""
    return Calibration(
        cases=("c-000003",),
        temperature=2.0,
        ece_before=0.2,
        ece_after=0.1,
        rules=MaskRules(probability_threshold=0.4, min_lesion_ml=0.0, fill_holes=False, largest_only=True),
        dice_before=0.5,
        dice_after=0.6,
        trials=(
            RuleTrial(
                rule="largest_only", value=True, dice_before=0.5, dice_after=0.6, n_better=1, n_worse=0, kept=True
            ),
        ),
        targets=(
            TargetConfidence(
                name="tumor",
                volume=VolumeInterval(coverage=0.9, log_ratio=0.5, offset_ml=1.0, n_cases=9),
                dice=DicePrediction(intercept=0.1, slope=0.9, when_empty=0.6, mean_absolute_error=0.07, n_cases=9),
                lesions=LesionConfidence(
                    intercept=-0.5, slope=1.5, brier=0.1, brier_before=0.2, n_lesions=12, n_real=8
                ),
            ),
        ),
        profile=None,
    )


def constant_bundle(
    logit: float, run_id: str = "", channels: dict[str, str] | None = None, labels: dict[str, int] | None = None
) -> Bundle:
    """A bundle whose network answers every voxel with one logit: all tumor above 0, none below; channels by name, else one CT.

    Each of `labels` is an output; else there is one, `tumor`.
    """
    bundle = small_bundle(0, run_id)
    plan = bundle.plan
    if channels:
        told = {"lower": -2000.0, "upper": 1e6, "mean": 0.0, "std": 100.0}
        plan = plan.model_copy(
            update={
                "dataset": DATASET.model_copy(update={"channels": channels}),
                "channels": tuple(ChannelPlan(name=name, kind=kind, **told) for name, kind in channels.items()),
            }
        )
    if labels:
        plan = plan.model_copy(update={"dataset": plan.dataset.model_copy(update={"labels": labels})})
    n_out = len(plan.targets)
    network = build_model(plan.architecture, in_channels=plan.in_channels, out_channels=n_out, dimensions=2)
    weights = {name: np.zeros_like(value.numpy()) for name, value in network.state_dict().items()}
    # The last bias of so many outputs is the head's.
    head = [name for name, value in weights.items() if name.endswith("bias") and value.shape == (n_out,)][-1]
    weights[head] = np.full(n_out, logit, np.float32)
    return Bundle(plan, weights, bundle.card.model_copy(update={"plan_sha256": plan.digest()}))


def threshold_bundle(least_hu: float, shift_rows: int, run_id: str = "") -> Bundle:
    """A bundle whose network calls every voxel of more than `least_hu` tumor, so many (0 to 4) rows below where it is."""
    plan = small_plan()
    plan = plan.model_copy(
        update={
            "architecture": ArchitecturePlan(
                name="unet", options={**plan.architecture.options, "normalization": "batch", "activation": "relu"}
            )
        }
    )
    network = build_model(plan.architecture, in_channels=plan.in_channels, out_channels=1, dimensions=2)
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    # The first channel of the highest level passes the middle slice on; all others are silent.
    for value in weights.values():
        if value.ndim == 4:
            value[:] = 0
    passing = ("down.0.first", "down.0.second", "merge.0.first", "merge.0.second")
    for number, name in enumerate(passing):
        source = 1 if number == 0 else 0
        weights[f"{name}.0.weight"][0, source, 0 if number < shift_rows else 1, 1] = 1
        # Air is passed on too: the rectifier sees no negative number.
        weights[f"{name}.1.bias"][0] = 100.0 if number == 0 else 0.0
    channel = plan.channels[0]
    weights["output.weight"][0, 0] = 20.0
    weights["output.bias"][0] = -20.0 * (100.0 + (least_hu - channel.mean) / channel.std)
    card = small_bundle(0, run_id).card
    return Bundle(plan, weights, card.model_copy(update={"plan_sha256": plan.digest()}))
