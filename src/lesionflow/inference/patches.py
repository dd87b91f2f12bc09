"""Cut a volume into patches, run the network on each, and put the answers together."""

from collections.abc import Callable, Iterator
from itertools import combinations, product

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lesionflow.data.context import stack_context

Network = Callable[[Tensor], Tensor]
Progress = Callable[[int, int], None]
#: Width of the Gaussian that weighs a patch, as a share of its size (nnU-Net's).
GAUSSIAN_SHARE = 1 / 8


def flip_combinations(axes: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Return every combination of axes to flip, the unflipped first."""
    return [c for n in range(len(axes) + 1) for c in combinations(axes, n)]


def predict_slices(
    network: Network,
    image: NDArray[np.float32],
    *,
    n_context: int,
    n_targets: int,
    multiple: int,
    batch_size: int,
    flip_axes: tuple[int, ...],
    device: torch.device,
    progress: Progress | None = None,
) -> NDArray[np.float32]:
    """Predict a volume slice by slice with a 2D network.

    Args:
        network: Maps (batch, channel * n_context, row, column) to logits.
        image: (channel, slice, row, column) in model space.
        n_context: Slices that the network sees.
        n_targets: Its outputs.
        multiple: Rows and columns are padded at their ends, by repetition, to a multiple of this.
        batch_size: Slices at a time.
        flip_axes: Model axes flipped for test-time augmentation, 1 rows and 2 columns.
        device: Where the network is.
        progress: Called with slices done and slices in all.

    Returns:
        Probabilities (target, slice, row, column).
    """
    _, n_slices, n_rows, n_columns = image.shape
    pads = [(0, 0), (0, 0), (0, -n_rows % multiple), (0, -n_columns % multiple)]
    padded = np.pad(image, pads, mode="edge")
    out = np.empty((n_targets, n_slices, n_rows, n_columns), dtype=np.float32)
    flips = [tuple(axis + 1 for axis in c) for c in flip_combinations(tuple(a for a in flip_axes if a))]
    for start in range(0, n_slices, batch_size):
        stop = min(start + batch_size, n_slices)
        batch = np.stack([stack_context(padded, center, n_context) for center in range(start, stop)])
        probabilities = _average(network, torch.from_numpy(batch).to(device), flips)
        out[:, start:stop] = probabilities.transpose(0, 1)[..., :n_rows, :n_columns].cpu().numpy()
        if progress is not None:
            progress(stop, n_slices)
    return out


def predict_patches(
    network: Network,
    image: NDArray[np.float32],
    *,
    patch_size: tuple[int, int, int],
    overlap_fraction: float,
    n_targets: int,
    flip_axes: tuple[int, ...],
    device: torch.device,
    progress: Progress | None = None,
) -> NDArray[np.float32]:
    """Predict a volume patch by patch with a 3D network; overlapping patches are blended by a Gaussian.

    Args:
        network: Maps (batch, channel, slice, row, column) to logits.
        image: (channel, slice, row, column) in model space.
        patch_size: (slice, row, column).
        overlap_fraction: Share of a patch that the next one covers again, in 0..1.
        n_targets: The network's outputs.
        flip_axes: Model axes flipped for test-time augmentation.
        device: Where the network is.
        progress: Called with patches done and patches in all.

    Returns:
        Probabilities (target, slice, row, column).
    """
    shape = image.shape[1:]
    pads = [(0, max(size - n, 0)) for n, size in zip(shape, patch_size, strict=True)]
    padded = np.pad(image, [(0, 0), *pads], mode="edge")
    weights = gaussian(patch_size)
    total = np.zeros((n_targets, *padded.shape[1:]), dtype=np.float32)
    norm = np.zeros(padded.shape[1:], dtype=np.float32)
    flips = [tuple(axis + 2 for axis in c) for c in flip_combinations(flip_axes)]
    boxes = list(patch_boxes(padded.shape[1:], patch_size, overlap_fraction))
    for number, box in enumerate(boxes, start=1):
        batch = torch.from_numpy(np.ascontiguousarray(padded[(slice(None), *box)])[None]).to(device)
        total[(slice(None), *box)] += _average(network, batch, flips)[0].cpu().numpy() * weights
        norm[box] += weights
        if progress is not None:
            progress(number, len(boxes))
    total /= norm
    return total[(slice(None), *(slice(0, n) for n in shape))]


def patch_boxes(
    shape: tuple[int, ...], patch_size: tuple[int, int, int], overlap_fraction: float
) -> Iterator[tuple[slice, ...]]:
    """Yield boxes of the patch size that cover a volume evenly, each overlapping the next by at least the fraction.

    Args:
        shape: (slice, row, column), none smaller than the patch.
        patch_size: (slice, row, column).
        overlap_fraction: In 0..1.
    """
    starts = []
    for n, size in zip(shape, patch_size, strict=True):
        step = max(int(size * (1.0 - overlap_fraction)), 1)
        count = -(-(n - size) // step) + 1
        starts.append([round(i * (n - size) / max(count - 1, 1)) for i in range(count)])
    for corner in product(*starts):
        yield tuple(slice(start, start + size) for start, size in zip(corner, patch_size, strict=True))


def gaussian(size: tuple[int, int, int]) -> NDArray[np.float32]:
    """Return the weights of a patch: a Gaussian about its middle, greatest 1, nowhere 0."""
    curves = []
    for n in size:
        places = (np.arange(n) - (n - 1) / 2) / max(n * GAUSSIAN_SHARE, 1e-6)
        curves.append(np.exp(-0.5 * places**2))
    weights = curves[0][:, None, None] * curves[1][None, :, None] * curves[2][None, None, :]
    return np.maximum(weights, weights.max() * 1e-3).astype(np.float32)


def _average(network: Network, batch: Tensor, flips: list[tuple[int, ...]]) -> Tensor:
    with torch.inference_mode():
        total = torch.zeros(())
        for axes in flips:
            logits = network(batch.flip(axes)) if axes else network(batch)
            probabilities = torch.sigmoid(logits.float())
            total = total.to(probabilities.device) + (probabilities.flip(axes) if axes else probabilities)
        return total / len(flips)
