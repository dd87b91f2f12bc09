import numpy as np
import torch

from lesionflow.inference.patches import predict_slices

CPU = torch.device("cpu")
#: Sigmoid and its inverse in float32.
SIGMOID_TOLERANCE = 1e-5


def test_neighbors_are_the_slices_beside_and_the_outermost_repeats() -> None:
    image = np.arange(4, dtype=np.float32)[None, :, None, None] * np.ones((1, 4, 8, 8), np.float32) / 10 + 0.2
    below = predict_slices(
        lambda batch: torch.logit(batch[:, :1]), image, n_context=3, n_targets=1, multiple=8, batch_size=2,
        flip_axes=(), device=CPU,
    )  # fmt: skip
    np.testing.assert_allclose(below[0, :, 0, 0], [0.2, 0.2, 0.3, 0.4], atol=SIGMOID_TOLERANCE)
