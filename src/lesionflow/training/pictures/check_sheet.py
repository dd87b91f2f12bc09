"""Patches beside what augmentation makes of them, for a person to check at a glance."""

import io
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lesionflow.training.batches.datamodule import stack_samples
from lesionflow.training.batches.sampling import TrainingPatches

N_PATCHES = 6
CONTOUR_COLOR = "#E69F00"
#: Around what is not known.
IGNORED_COLOR = "#999999"
GRAY_PERCENT = (1.0, 99.5)


def draw_check_sheet(patches: TrainingPatches) -> bytes:
    """Draw the first patches of the first epoch, as they are and as training sees them.

    Args:
        patches: What is trained on; asked for patches, otherwise left as it is.

    Returns:
        A PNG file.
    """
    figure = Figure(figsize=(2.2 * N_PATCHES, 5.2), layout="constrained")
    axes = figure.subplots(2, N_PATCHES)
    plain = patches.unchanged()
    for number in range(N_PATCHES):
        for row, source in enumerate((plain, patches)):
            image, mask = (part[0].numpy() for part in source.finish(stack_samples([source[(0, number)]])))
            shown, masks = _middle(image, mask, patches.patch.dimensions, patches.patch.size[0])
            _draw(axes[row][number], shown, masks[: len(patches.targets)], masks[len(patches.targets) :])
        axes[0][number].set_title(f"patch {number + 1}", fontsize=8)
    for row, words in enumerate(("as it is", "as training sees it")):
        axes[row][0].set_ylabel(words)
    figure.suptitle("First channel, contours of all targets", fontsize=9)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=80)
    return buffer.getvalue()


def _middle(
    image: NDArray[Any], mask: NDArray[Any], dimensions: int, n_slices: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the middle slice (row, column) of the first channel, and all targets (target, row, column) there."""
    if dimensions == 2:
        return image[n_slices // 2], mask
    return image[0, n_slices // 2], mask[:, n_slices // 2]


def _draw(axes: Any, image: NDArray[Any], masks: NDArray[Any], ignored: NDArray[Any]) -> None:
    low, high = np.percentile(image, GRAY_PERCENT)
    axes.imshow(image, cmap="gray", vmin=low, vmax=max(high, low + 1e-6))
    for mask, color in (*((mask, CONTOUR_COLOR) for mask in masks), *((mask, IGNORED_COLOR) for mask in ignored)):
        if mask.any() and not mask.all():
            axes.contour(mask, levels=[0.5], colors=[color], linewidths=1.0)
    axes.set_xticks([])
    axes.set_yticks([])
