"""What training minimizes: pure functions of logits and targets.

Both are (batch, target, [slice,] row, column); targets are 0 or 1. Each target is judged by itself (sigmoid), so
overlapping regions need nothing else; `dice_ce_loss` alone wants targets that exclude one another.

Targets may be followed by one more mask, of the voxels that are not known: no loss is there, and no gradient.

A loss of sums over the batch takes `total`, which puts together what several processes counted, each on its share of one
batch. A mean over voxels needs it only where some are not known: else shares are of equal size, and the mean of their means
is that of all.
"""

from collections.abc import Callable, Mapping
from functools import partial
from inspect import signature
from types import MappingProxyType

import torch
from torch.nn import functional

from lesionflow.models.blocks import Logits

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
#: Turns a process's sums into those of all processes.
Total = Callable[[torch.Tensor], torch.Tensor]

#: Keeps a quotient of sums finite where both are empty: the loss of an empty target predicted empty is then 0.
SMOOTH = 1.0
#: The paper's own choice (DOI 10.1109/ICCV.2017.324).
FOCAL_GAMMA, FOCAL_ALPHA = 2.0, 0.25
#: The paper's own choice (DOI 10.1007/978-3-319-67389-9_44): a missed voxel costs more than a false one.
TVERSKY_FALSE_POSITIVE, TVERSKY_FALSE_NEGATIVE = 0.3, 0.7


def own_share(sums: torch.Tensor) -> torch.Tensor:
    """Return the sums as they are: the `total` of a process alone."""
    return sums


def part_known(logits: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Part the masks of targets from that of what is not known, which may stand behind them.

    Args:
        logits: (batch, target, ...).
        targets: 0/1 (batch, target or target + 1, ...).

    Returns:
        The targets, and 0/1 (batch, 1, ...) of what is known; None where everything is.
    """
    if targets.shape == logits.shape:
        return targets, None
    n_targets = logits.shape[1]
    return targets[:, :n_targets], targets[:, n_targets:] == 0


def dice_loss(
    logits: torch.Tensor, targets: torch.Tensor, *, over_batch: bool = True, total: Total = own_share
) -> torch.Tensor:
    """One minus the soft Dice coefficient, mean over targets.

    Args:
        logits: (batch, target, ...).
        targets: 0/1, of the same shape.
        over_batch: Sum over the whole batch before dividing, so that a patch without tumor does not decide alone;
            otherwise each patch has its own coefficient.
        total: Of the batch's sums; each patch's own need none.

    Returns:
        Scalar in 0..1.

    References:
        Milletari et al. 2016, DOI 10.1109/3DV.2016.79, without the squares in the denominator.
    """
    true_positive, false_positive, false_negative = _soft_counts(logits, targets, total if over_batch else None)
    both = 2 * true_positive + false_positive + false_negative
    return 1 - ((2 * true_positive + SMOOTH) / (both + SMOOTH)).mean()


def tversky_loss(
    logits: torch.Tensor, targets: torch.Tensor, *, over_batch: bool = True, total: Total = own_share
) -> torch.Tensor:
    """One minus the Tversky index, which weighs false positives and false negatives apart; mean over targets.

    Args:
        logits: (batch, target, ...).
        targets: 0/1, of the same shape.
        over_batch: As in `dice_loss`.
        total: As in `dice_loss`.

    Returns:
        Scalar in 0..1.

    References:
        Salehi et al. 2017, DOI 10.1007/978-3-319-67389-9_44.
    """
    true_positive, false_positive, false_negative = _soft_counts(logits, targets, total if over_batch else None)
    wrong = TVERSKY_FALSE_POSITIVE * false_positive + TVERSKY_FALSE_NEGATIVE * false_negative
    return 1 - ((true_positive + SMOOTH) / (true_positive + wrong + SMOOTH)).mean()


def bce_loss(logits: torch.Tensor, targets: torch.Tensor, *, total: Total = own_share) -> torch.Tensor:
    """Binary cross entropy, mean over all voxels.

    Args:
        logits: Any shape.
        targets: 0/1, of the same shape.
        total: As in `dice_loss`.

    Returns:
        Scalar >= 0.
    """
    targets, known = part_known(logits, targets)
    if known is None:
        return functional.binary_cross_entropy_with_logits(logits.float(), targets.float())
    values = functional.binary_cross_entropy_with_logits(logits.float(), targets.float(), reduction="none")
    return _mean(values, known, total)


def focal_loss(logits: torch.Tensor, targets: torch.Tensor, *, total: Total = own_share) -> torch.Tensor:
    """Cross entropy that fades for voxels already right, mean over all voxels.

    Args:
        logits: Any shape.
        targets: 0/1, of the same shape.
        total: As in `dice_loss`.

    Returns:
        Scalar >= 0.

    References:
        Lin et al. 2017, DOI 10.1109/ICCV.2017.324, equation 5.
    """
    targets, known = part_known(logits, targets)
    targets = targets.float()
    cross_entropy = functional.binary_cross_entropy_with_logits(logits.float(), targets, reduction="none")
    wrongness = torch.abs(targets - torch.sigmoid(logits.float()))
    weight = FOCAL_ALPHA * targets + (1 - FOCAL_ALPHA) * (1 - targets)
    return _mean(weight * wrongness**FOCAL_GAMMA * cross_entropy, known, total)


def dice_bce_loss(logits: torch.Tensor, targets: torch.Tensor, *, total: Total = own_share) -> torch.Tensor:
    """Sum of `dice_loss` over the batch and `bce_loss`."""
    return dice_loss(logits, targets, total=total) + bce_loss(logits, targets, total=total)


def dice_ce_loss(logits: torch.Tensor, targets: torch.Tensor, *, total: Total = own_share) -> torch.Tensor:
    """Sum of `dice_loss` over the batch and the cross entropy of background and targets, which exclude one another.

    The background's logit is fixed at 0, so that a voxel is more likely a target than background where the target's own
    sigmoid is above one half, as inference decides. With one target this is `dice_bce_loss`.

    Args:
        logits: (batch, target, ...).
        targets: 0/1, of the same shape; no voxel may belong to two.
        total: As in `dice_loss`.

    Returns:
        Scalar >= 0.
    """
    overlap = dice_loss(logits, targets, total=total)
    targets, known = part_known(logits, targets)
    padded = torch.cat([torch.zeros_like(logits[:, :1]), logits], dim=1).float()
    classes = torch.cat([torch.zeros_like(targets[:, :1]), targets], dim=1).argmax(dim=1)
    if known is None:
        return overlap + functional.cross_entropy(padded, classes)
    return overlap + _mean(functional.cross_entropy(padded, classes, reduction="none")[:, None], known, total)


def over_outputs(loss: Loss, outputs: Logits, targets: torch.Tensor) -> torch.Tensor:
    """Weigh a loss over all outputs of a network with deep supervision; that of the one output of another.

    Args:
        loss: Of one output.
        outputs: Logits (batch, target, ...), or several of them, the finest first, of the targets' size or coarser.
        targets: 0/1 (batch, target, ...), and perhaps what is not known behind them.

    Returns:
        Scalar: the weighted mean, an output of half the size having half the weight (nnU-Net's rule); its targets are
        the nearest of the finest.

    References:
        Lee et al. 2015, arXiv:1409.5185; Isensee et al. 2021, DOI 10.1038/s41592-020-01008-z.
    """
    if isinstance(outputs, torch.Tensor):
        return loss(outputs, targets)
    weights = [output.shape[-1] / targets.shape[-1] for output in outputs]
    values = [w * loss(output, _shrink(targets, output)) for w, output in zip(weights, outputs, strict=True)]
    return torch.stack(values).sum() / sum(weights)


#: Every loss by its name in params.yaml. Its docstring's first sentence is its row in the docs.
LOSSES: Mapping[str, Loss] = MappingProxyType(
    {
        "dice": dice_loss,
        "bce": bce_loss,
        "dice_bce": dice_bce_loss,
        "dice_ce": dice_ce_loss,
        "focal": focal_loss,
        "tversky": tversky_loss,
    }
)


def sums_over_batch(name: str) -> bool:
    """Tell whether a loss may sum over the batch before it divides, so that it takes `total`.

    Args:
        name: A key of `LOSSES`.
    """
    return "total" in signature(LOSSES[name]).parameters


def loss_of_shares(name: str, total: Total) -> Loss:
    """Return a loss that is told a process's share of a batch, and of which all processes' mean gradient is the batch's.

    Args:
        name: A key of `LOSSES`.
        total: Sums over all processes; each must call the loss equally often, or they wait for one another for ever.

    Returns:
        The loss.
    """
    loss: Callable[..., torch.Tensor] = LOSSES[name]
    return partial(loss, total=total) if sums_over_batch(name) else loss


def _shrink(targets: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    if targets.shape[2:] == like.shape[2:]:
        return targets
    return functional.interpolate(targets.float(), size=like.shape[2:], mode="nearest-exact")


def _mean(values: torch.Tensor, known: torch.Tensor | None, total: Total) -> torch.Tensor:
    """Return the mean over all voxels of the batch that are known; 0 where none is."""
    if known is None:
        return values.mean()
    counted = known.expand_as(values)
    found, n_voxels = total(torch.stack([(values * counted).sum(), counted.sum().to(values.dtype)]))
    return found / n_voxels.clamp(min=1)


def _soft_counts(
    logits: torch.Tensor, targets: torch.Tensor, total: Total | None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return soft true positives, false positives and false negatives of each target in the batch; without total, in each patch."""
    # Sums over many voxels lose digits in half precision.
    targets, known = part_known(logits, targets)
    probabilities, targets = torch.sigmoid(logits.float()), targets.float()
    if known is not None:
        probabilities, targets = probabilities * known, targets * known
    space = tuple(range(2, logits.ndim))
    parts = [part.sum((0, *space) if total else space) for part in (probabilities * targets, probabilities, targets)]
    # One exchange for all three.
    true_positive, predicted, wanted = total(torch.stack(parts)) if total else parts
    return true_positive, predicted - true_positive, wanted - true_positive
