"""Cut a volume into patches, run the network on each, and put the answers together."""

from collections.abc import Callable
from itertools import combinations, product

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lesionflow.inference.finite_answers import FiniteCheck
from lesionflow.preprocessing.slice_context import stack_context

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

    Slices go through whole, as validation saw them: an instance normalization over a part of a slice is another network.

    Args:
        network: Maps (batch, channel * n_context, row, column) to logits.
        image: (channel, slice, row, column) in model space.
        n_context: Slices that the network sees.
        n_targets: Its outputs.
        multiple: Rows and columns are padded at their ends, by repetition, to a multiple of this.
        batch_size: Slices at a time.
        flip_axes: Model axes flipped for test-time augmentation, 1 rows and 2 columns.
        device: Where the network is.
        progress: Called with slices done and slices in all; what it raises ends the work.

    Returns:
        Probabilities (target, slice, row, column).

    Raises:
        ArtifactError: When the network answers with NaN or infinity anywhere.
    """
    _, n_slices, n_rows, n_columns = image.shape
    pads = [(0, 0), (0, 0), *_end_pads(n_rows, n_columns, multiple)]
    out = np.empty((n_targets, n_slices, n_rows, n_columns), dtype=np.float32)
    flips = [tuple(axis + 1 for axis in c) for c in flip_combinations(tuple(a for a in flip_axes if a))]
    for start in range(0, n_slices, batch_size):
        stop = min(start + batch_size, n_slices)
        batch = np.stack([stack_context(image, center, n_context) for center in range(start, stop)])
        tensor = torch.from_numpy(np.pad(batch, pads, mode="edge")).to(device)
        found = _average(network, tensor, flips)[..., :n_rows, :n_columns]
        torch.from_numpy(out[:, start:stop]).copy_(found.transpose(0, 1))
        if progress is not None:
            progress(stop, n_slices)
    return out


def _end_pads(n_rows: int, n_columns: int, multiple: int) -> list[tuple[int, int]]:
    """Pad to multiples, and a slice of one multiple to two: over one element nothing can be normalized."""
    tiny = max(n_rows, n_columns) <= multiple
    return [(0, -n_rows % multiple), (0, -n_columns % multiple + (multiple if tiny else 0))]


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

    A patch of one value a channel (air, clipped) holds nothing: it is not sent through the network and has probability 0.

    Args:
        network: Maps (batch, channel, slice, row, column) to logits.
        image: (channel, slice, row, column) in model space.
        patch_size: (slice, row, column).
        overlap_fraction: Share of a patch that the next one covers again, in 0..1.
        n_targets: The network's outputs.
        flip_axes: Model axes flipped for test-time augmentation.
        device: Where the network is.
        progress: Called with patches done and patches in all; what it raises ends the work.

    Returns:
        Probabilities (target, slice, row, column).

    Raises:
        ArtifactError: When the network answers with NaN or infinity anywhere.
    """
    shape = image.shape[1:]
    pads = [(0, whole - n) for n, whole in zip(shape, padded_shape(shape, patch_size), strict=True)]
    padded = np.pad(image, [(0, 0), *pads], mode="edge") if any(end for _, end in pads) else image
    starts = patch_starts(padded.shape[1:], patch_size, overlap_fraction)
    curves = [gaussian(size) for size in patch_size]
    weights = torch.from_numpy(_outer(curves)).to(device)
    total = np.zeros((n_targets, *padded.shape[1:]), dtype=np.float32)
    flips = [tuple(axis + 2 for axis in c) for c in flip_combinations(flip_axes)]
    n_patches = int(np.prod([len(places) for places in starts]))
    for number, corner in enumerate(product(*starts), start=1):
        box = (slice(None), *(slice(start, start + size) for start, size in zip(corner, patch_size, strict=True)))
        patch = np.ascontiguousarray(padded[box])
        if (patch.min(axis=(1, 2, 3)) < patch.max(axis=(1, 2, 3))).any():
            found = _average(network, torch.from_numpy(patch)[None].to(device), flips)[0]
            total[box] += (found * weights).cpu().numpy()
        if progress is not None:
            progress(number, n_patches)
    # The weights of all patches over a voxel are a product of three curves too, as the patches lie on a lattice.
    for axis, (places, curve) in enumerate(zip(starts, curves, strict=True)):
        norm = np.zeros(padded.shape[axis + 1], dtype=np.float64)
        for start in places:
            norm[start : start + len(curve)] += curve
        total /= norm.astype(np.float32).reshape([-1 if i == axis else 1 for i in range(3)])
    return total[(slice(None), *(slice(0, n) for n in shape))]


def padded_shape(shape: tuple[int, ...], patch_size: tuple[int, int, int]) -> tuple[int, ...]:
    """Return the (slice, row, column) shape of a volume that is repeated at its ends until a patch fits into it."""
    return tuple(max(n, size) for n, size in zip(shape, patch_size, strict=True))


def patch_starts(shape: tuple[int, ...], patch_size: tuple[int, int, int], overlap_fraction: float) -> list[list[int]]:
    """Return where patches begin along each axis, so that they cover it evenly and overlap by at least the fraction.

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
    return starts


def gaussian(size: int) -> NDArray[np.float32]:
    """Return the weights along one axis of a patch: a Gaussian about its middle, at its ends 0.0003, nowhere 0."""
    places = (np.arange(size) - (size - 1) / 2) / (size * GAUSSIAN_SHARE)
    return np.exp(-0.5 * places**2).astype(np.float32)


def _outer(curves: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    return np.asarray(curves[0][:, None, None] * curves[1][None, :, None] * curves[2][None, None, :])


def _average(network: Network, batch: Tensor, flips: list[tuple[int, ...]]) -> Tensor:
    """Return the mean of the probabilities in each orientation; refused where the network gives no number."""
    finite = FiniteCheck()
    with torch.inference_mode():
        total: Tensor | None = None
        for axes in flips:
            logits = network(batch.flip(axes)) if axes else network(batch)
            finite.add(logits)
            found = torch.sigmoid(logits.float())
            found = found.flip(axes) if axes else found
            total = found if total is None else total.add_(found)
        if total is None:
            raise ValueError("Expected at least one orientation to predict in, found none.")
        finite.require()
        return total.div_(len(flips))
