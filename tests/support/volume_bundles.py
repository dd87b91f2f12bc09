"""Bundles of one 3D network of random weights whose answer is crisp: about half of a study is a target."""

import numpy as np
import torch
from scipy import ndimage

from lesionflow.data.bundle import Bundle
from lesionflow.data.plan import ChannelPlan
from lesionflow.inference import Segmenter
from lesionflow.models import build_model
from support.bundles import small_bundle

#: What tells probabilities apart: logits are this much larger than those of fresh weights.
CRISPNESS = 10.0
CT = {"lower": -200.0, "upper": 300.0, "mean": 40.0, "std": 60.0}
OWN = {"lower": None, "upper": None, "mean": None, "std": None}


def volume_bundle(
    channels: dict[str, str], labels: dict[str, int], regions: dict[str, tuple[int, ...]], flips: tuple[int, ...] = ()
) -> Bundle:
    """A 3D bundle at 1 mm with patches of 16 x 24 x 24; small lesions are dropped, holes filled."""
    plan = small_bundle().plan
    channel_plans = [ChannelPlan(name=n, kind=k, **(CT if k == "ct" else OWN)) for n, k in channels.items()]
    update = {"overlap_fraction": 0.5, "flip_axes": flips, "min_lesion_ml": 0.02, "fill_holes": True}
    plan = plan.model_copy(
        update={
            "dataset": plan.dataset.model_copy(update={"channels": channels, "labels": labels, "regions": regions}),
            "channels": tuple(channel_plans),
            "dimensions": 3,
            "patch_size": (16, 24, 24),
            "context_slices": 1,
            "spacing_mm": (1.0, 1.0, 1.0),
            "inference": plan.inference.model_copy(update=update),
        }
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        n_out = len(plan.targets)
        network = build_model(plan.architecture, in_channels=len(channels), out_channels=n_out, dimensions=3)
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    card = small_bundle().card.model_copy(update={"plan_sha256": plan.digest()})
    bundle = Bundle(plan, weights, card)
    noise = np.random.default_rng(5).normal(size=(len(channels), 32, 48, 48)).astype(np.float32)
    smooth = ndimage.gaussian_filter(noise, (0, 2, 2, 2))
    found = Segmenter(bundle, device="cpu").ask_model_space(smooth / smooth.std()).astype(float)
    middle = np.median(np.log(found / (1 - found)), axis=(1, 2, 3))
    weights["output.bias"] = (CRISPNESS * (weights["output.bias"] - middle)).astype(np.float32)
    weights["output.weight"] = CRISPNESS * weights["output.weight"]
    return bundle
