"""TorchScript that knows nothing of our code answers with probabilities, averaged over flips."""

import numpy as np
import torch
from scipy.special import expit

from lesionflow.inference.monai_bundle.torchscript import ProbabilityNetwork, write_program
from support.bundles import threshold_bundle


class Ramp(torch.nn.Module):
    def forward(self, image):
        return image + torch.arange(image.shape[-1], dtype=torch.float32)


def test_flips_are_averaged_as_probabilities():
    found = ProbabilityNetwork(Ramp(), (3,))(torch.zeros(1, 1, 1, 3)).numpy().ravel()
    np.testing.assert_allclose(found, [(expit(0) + expit(2)) / 2, expit(1), (expit(2) + expit(0)) / 2], rtol=1e-6)


def test_the_file_is_the_threshold_at_any_size_and_holds_the_texts(tmp_path):
    assert write_program(threshold_bundle(40.0, 0), tmp_path / "model.ts", {"metadata.json": "{}"}).holds
    texts = {"metadata.json": ""}
    program = torch.jit.load(tmp_path / "model.ts", _extra_files=texts)
    assert texts["metadata.json"] == b"{}"
    image = np.random.default_rng(3).normal(size=(3, 3, 32, 64)).astype(np.float32)
    np.testing.assert_allclose(program(torch.from_numpy(image)).numpy()[:, 0], expit(20 * image[:, 1]), atol=0.01)
