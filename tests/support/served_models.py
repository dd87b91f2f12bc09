"""A real, untrained model on disk and phantom studies to send to it."""

from pathlib import Path

import numpy as np
import torch

from lesionflow.data.bundle import Bundle, Card
from lesionflow.data.dataset import Dataset
from lesionflow.data.plan import ArchitecturePlan, ChannelPlan, InferencePlan, Plan
from lesionflow.io.stores.bundles import write_bundle
from lesionflow.models import build_model

LIMITS = {"ct": (-200.0, 300.0, 40.0, 100.0), "pet": (0.0, 20.0, 1.0, 2.0)}


def write_untrained_bundle(folder: Path, kinds: dict[str, str], seed: int = 7) -> Path:
    """Write the bundle of a small U-Net with seeded random weights: it finds nonsense, everywhere, reproducibly."""
    plan = Plan(
        dataset=Dataset(name="phantoms", channels=kinds, labels={"tumor": 1}, regions={}),
        dimensions=2,
        spacing_mm=(None, 6.0, 6.0),
        patch_size=(3, 64, 64),
        batch_size=2,
        context_slices=3,
        channels=tuple(
            ChannelPlan(name=name, kind=kind, **dict(zip(("lower", "upper", "mean", "std"), LIMITS[kind], strict=True)))
            for name, kind in kinds.items()
        ),
        denoising="none",
        bias_field_correction=False,
        architecture=ArchitecturePlan(
            name="unet",
            options={
                "base_channels": 4,
                "depth": 2,
                "normalization": "instance",
                "activation": "leaky_relu",
                "residual": False,
                "dropout_fraction": 0.0,
            },
        ),
        inference=InferencePlan(
            overlap_fraction=0.25, flip_axes=(), probability_threshold=0.62, min_lesion_ml=0.1, fill_holes=False
        ),
        decisions=(),
    )
    torch.manual_seed(seed)
    network = build_model(plan.architecture, in_channels=plan.in_channels, out_channels=1, dimensions=2)
    card = Card(
        lesionflow_version="0.1.0",
        code_revision="c0de",
        data_revision="da7a",
        run_id="run-1",
        tracking_experiment="phantoms",
        plan_sha256=plan.digest(),
        trained_cases=("c-1", "c-2"),
        validation_cases=("c-3",),
        validation_dice=0.1,
        epochs=1,
        train_params={},
    )
    weights = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    # A new network expects hardly any tumor, and would find none.
    weights["output.bias"] = np.zeros_like(weights["output.bias"])
    write_bundle(folder, Bundle(plan, weights, card))
    return folder
