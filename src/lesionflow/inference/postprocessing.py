"""From probabilities to a mask, by the plan's rules."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lesionflow.data.dataset import Target
from lesionflow.data.plan import InferencePlan

CONNECTIVITY = np.ones((3, 3, 3), dtype=bool)


def to_labels(
    probabilities: NDArray[np.float32], targets: tuple[Target, ...], rules: InferencePlan, voxel_volume_ml: float
) -> NDArray[np.uint8]:
    """Turn probabilities into labels.

    Where targets are regions they are written widest first, each as the one label that the narrower ones leave to it;
    where they are single labels the most probable one wins.

    Args:
        probabilities: (target, slice, row, column).
        targets: In the same order.
        rules: Threshold, smallest lesion, hole filling.
        voxel_volume_ml: Volume of a voxel.

    Returns:
        uint8 labels (slice, row, column).
    """
    present = probabilities >= rules.probability_threshold
    regions = any(len(target.labels) > 1 for target in targets)
    if not regions and len(targets) > 1:
        best = probabilities.argmax(axis=0)
        present &= best[None] == np.arange(len(targets))[:, None, None, None]
    labels = np.zeros(probabilities.shape[1:], dtype=np.uint8)
    for number, target in enumerate(targets):
        mask = tidy(present[number], rules, voxel_volume_ml)
        if number and regions and set(target.labels) < set(targets[number - 1].labels):
            mask &= labels > 0
        labels[mask] = own_label(target, targets[number + 1 :])
    return labels


def tidy(mask: NDArray[np.bool_], rules: InferencePlan, voxel_volume_ml: float) -> NDArray[np.bool_]:
    """Remove lesions smaller than the rules allow and fill holes.

    Args:
        mask: Bool (slice, row, column).
        rules: Smallest lesion in ml, hole filling.
        voxel_volume_ml: Volume of a voxel.

    Returns:
        A new mask.
    """
    found = ndimage.find_objects(mask.astype(np.uint8))
    if not found:
        return mask.copy()
    out = mask.copy()
    inside = out[found[0]]
    if rules.fill_holes:
        inside |= ndimage.binary_fill_holes(inside)
    if rules.min_lesion_ml > 0:
        parts, _ = ndimage.label(inside, CONNECTIVITY)
        sizes_ml = np.bincount(parts.ravel()) * voxel_volume_ml
        small = sizes_ml < rules.min_lesion_ml
        small[0] = False
        inside &= ~small[parts]
    return out


def own_label(target: Target, narrower: tuple[Target, ...]) -> int:
    """Return the label that a target writes: the first of its own that no narrower target within it writes."""
    inner: set[int] = set()
    for other in narrower:
        if set(other.labels) < set(target.labels):
            inner |= set(other.labels)
    rest = [label for label in target.labels if label not in inner]
    return rest[0] if rest else target.labels[0]
