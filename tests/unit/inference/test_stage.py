"""One network of a plan: how many parts it looks at, what it answers, and weights that do not fit."""

import numpy as np
import pytest
import torch

from lesionflow.errors import ArtifactError
from lesionflow.inference.stage import Stage
from support.bundles import constant_bundle

CPU = torch.device("cpu")


def stage(logit=2.0, **plan):
    bundle = constant_bundle(logit)
    return Stage(bundle.plan.model_copy(update=plan), bundle.weights, device=CPU, backend="pytorch")


def test_a_2d_network_looks_at_each_slice_and_answers_its_logits_probability():
    made = stage()
    assert made.n_parts((7, 40, 56)) == 7
    assert made.backend == "pytorch"
    assert not made.can_be_lean
    image = np.random.default_rng(1).normal(size=(1, 5, 41, 37)).astype(np.float32)
    seen = []
    found = made.predict(image, batch_size=2, lean=False, progress=lambda done, total: seen.append((done, total)))
    assert found.shape == (1, 5, 41, 37)
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-2.0)), atol=2e-3)
    assert seen[-1] == (5, 5)


def test_parts_of_a_volume_are_counted_by_hand():
    made = stage()
    made.plan = made.plan.model_copy(
        update={"dimensions": 3, "patch_size": (4, 16, 16), "inference": made.plan.inference.model_copy(update={"overlap_fraction": 0.5})}
    )  # fmt: skip
    # Patches half over one another: 10 slices by steps of 2 of 4 -> 4; 40 rows by 8 of 16 -> 4; 16 columns -> 1.
    assert made.n_parts((10, 40, 16)) == 4 * 4 * 1
    # A volume smaller than a patch is one part.
    assert made.n_parts((3, 10, 12)) == 1


@pytest.mark.parametrize("harm", ["missing", "shape", "more"])
def test_weights_that_do_not_fit_are_an_artifact_error(harm):
    bundle = constant_bundle(0.0)
    weights = dict(bundle.weights)
    name = next(key for key, value in weights.items() if value.ndim == 4)
    if harm == "missing":
        del weights[name]
    elif harm == "shape":
        weights[name] = np.zeros((*weights[name].shape, 1), np.float32)
    else:
        weights["extra"] = np.zeros(1, np.float32)
    with pytest.raises(ArtifactError, match="unet"):
        Stage(bundle.plan, weights, device=CPU, backend="pytorch")
