"""What the network finds in a few validation slices, every so many epochs, for a person to look at."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from pytorch_lightning import Callback, Trainer

from lesionflow.training.averaging import AveragedWeights
from lesionflow.training.batches.slabs import SlabBatch, ValidationSlabs
from lesionflow.training.losses import part_known
from lesionflow.training.module import SegmentationModule, count_voxels, dice_of_counts
from lesionflow.training.schedule import TimeBudget

#: Cases shown, at most.
N_CASES = 3
#: Okabe and Ito's orange and sky blue: told apart by color-blind readers and in gray print.
REFERENCE_COLOR, PREDICTED_COLOR = "#56B4E9", "#E69F00"
#: Percentiles that bound the gray scale.
GRAY_PERCENT = (1.0, 99.5)


class SampleSlice(NamedTuple):
    """One slice of one case, of one target.

    Args:
        case_id: The case.
        target: Number of the target.
        image: (row, column) of the first channel.
        reference: Bool (row, column).
        predicted: Bool (row, column).
        dice: Of this slice.
    """

    case_id: str
    target: int
    image: NDArray[np.float32]
    reference: NDArray[np.bool_]
    predicted: NDArray[np.bool_]
    dice: float


OnPictures = Callable[[int, Sequence[SampleSlice]], None]


class Pictures(Callback):
    """Predicts the slabs with most tumor of some validation cases, after every so many epochs.

    Args:
        slabs: What is validated on.
        budget: Counts the epochs.
        averaging: Gives the weights that are validated.
        on_pictures: Called with the number of epochs done and the slices.
    """

    def __init__(
        self, slabs: ValidationSlabs, budget: TimeBudget, averaging: AveragedWeights, on_pictures: OnPictures
    ) -> None:
        self._slabs = slabs
        self._budget = budget
        self._averaging = averaging
        self._on_pictures = on_pictures
        self._chosen: list[SlabBatch] = []

    def on_train_epoch_end(self, _: Trainer, pl_module: SegmentationModule) -> None:
        """Look, without changing anything that training depends on."""
        # This epoch is counted already: callbacks that count stand before this one.
        if self._budget.epochs % pl_module.recipe.picture_every_epochs:
            return
        if not self._chosen:
            self._chosen = choose(self._slabs)
        was_training = pl_module.network.training
        pl_module.network.eval()
        with self._averaging.in_place(pl_module.network), torch.inference_mode():
            slices = [found for batch in self._chosen for found in self._look(pl_module, batch)]
        pl_module.network.train(was_training)
        self._on_pictures(self._budget.epochs, slices)

    def _look(self, module: SegmentationModule, batch: SlabBatch) -> list[SampleSlice]:
        size = batch.mask.shape[2:]
        logits = module(batch.image.to(module.device))[(..., *(slice(n) for n in size))]
        predicted = (torch.sigmoid(logits.float()) >= module.recipe.probability_threshold).cpu()
        truth, known = part_known(logits, batch.mask)
        slab, number = fullest(truth)
        case_id = self._slabs.cases[batch.case].case_id
        # In 2D neighboring slices are channels, and the middle one is predicted.
        shown = self._slabs.patch.size[0] // 2 if self._slabs.patch.dimensions == 2 else 0
        image = _plane(batch.image, slab, shown, number)[: size[-2], : size[-1]]
        found = []
        for target in range(truth.shape[1]):
            reference, mine = (_plane(m, slab, target, number).bool() for m in (truth, predicted))
            if known is not None:
                mine = mine & _plane(known, slab, 0, number).bool()
            counts = count_voxels(mine[None, None], reference[None, None])
            dice = float(dice_of_counts(counts)[0])
            found.append(SampleSlice(case_id, target, image.numpy(), reference.numpy(), mine.numpy(), dice))
        return found


def choose(slabs: ValidationSlabs) -> list[SlabBatch]:
    """Choose of each of the first cases the batch that holds the slab with most tumor.

    Args:
        slabs: What is validated on.
    """
    best: dict[int, tuple[int, SlabBatch]] = {}
    for number in range(len(slabs)):
        if slabs.chunks[number].case >= N_CASES:
            break
        batch = slabs[number]
        size = int(batch.mask[:, : len(slabs.targets)].flatten(1).sum(1).max())
        if batch.case not in best or size > best[batch.case][0]:
            best[batch.case] = (size, batch)
    return [batch for _, batch in best.values()]


def fullest(mask: torch.Tensor) -> tuple[int, int]:
    """Return the slab and the slice in it that hold most of all targets.

    Args:
        mask: 0/1 (slab, target, [slice,] row, column).
    """
    sizes = mask.sum((1, -1, -2), dtype=torch.int64).reshape(len(mask), -1)
    slab, number = divmod(int(sizes.argmax()), sizes.shape[1])
    return slab, number


def draw_samples(slices: Sequence[SampleSlice], names: Sequence[str], title: str) -> NDArray[np.uint8]:
    """Draw slices side by side, a row a case: contours of reference and prediction over the image.

    Args:
        slices: What was found, case by case.
        names: Of the targets.
        title: Above the picture.

    Returns:
        uint8 (row, column, 3).
    """
    n_columns = len(names)
    n_rows = -(-len(slices) // n_columns)
    figure = Figure(figsize=(3.2 * n_columns, 3.4 * n_rows + 0.5), dpi=80, layout="constrained")
    axes = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for axis, found in zip(axes, slices, strict=True):
        low, high = np.percentile(found.image, GRAY_PERCENT)
        axis.imshow(found.image, cmap="gray", vmin=low, vmax=max(high, low + 1e-6))
        for mask, color in ((found.reference, REFERENCE_COLOR), (found.predicted, PREDICTED_COLOR)):
            if mask.any() and not mask.all():
                axis.contour(mask, levels=[0.5], colors=[color], linewidths=1.2)
        axis.set_title(f"{found.case_id}, {names[found.target]}: Dice {found.dice:.3f}", fontsize=8)
        axis.set_axis_off()
    figure.suptitle(f"{title}\nreference blue, found orange", fontsize=9)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _plane(array: torch.Tensor, slab: int, channel: int, number: int) -> Any:
    """Take (row, column) out of (slab, channel, [slice,] row, column)."""
    return array[slab, channel] if array.ndim == 4 else array[slab, channel, number]
