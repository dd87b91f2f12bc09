"""From probabilities to a mask, by the bundle's rules."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lesionflow.data.calibration import MaskRules
from lesionflow.data.dataset import Target
from lesionflow.data.geometry import SpacingMm

CONNECTIVITY = np.ones((3, 3, 3), dtype=bool)
#: Smoothing looks this many standard deviations around a mask.
SMOOTHING_REACH = 3.0

Box = tuple[slice, slice, slice]
#: Gives the body, Bool (slice, row, column), of a box.
BodyOf = Callable[[Box], NDArray[np.bool_]]


def above_threshold(
    probabilities: NDArray[np.float32], targets: tuple[Target, ...], threshold: float
) -> NDArray[np.bool_]:
    """Tell which voxels belong to which target before any tidying; any part of a volume may be asked for alone.

    Args:
        probabilities: (target, slice, row, column).
        targets: In the same order. Single labels exclude one another, the most probable wins; regions do not.
        threshold: From which probability on a voxel belongs.

    Returns:
        Bool (target, slice, row, column).
    """
    present = probabilities >= threshold
    if len(targets) > 1 and not _are_regions(targets):
        best = probabilities.argmax(axis=0)
        present &= best[None] == np.arange(len(targets))[:, None, None, None]
    return np.asarray(present)


def to_labels(
    present: NDArray[np.bool_],
    targets: tuple[Target, ...],
    rules: MaskRules,
    spacing_mm: SpacingMm,
    body_of: BodyOf | None = None,
    sure: NDArray[np.bool_] | None = None,
) -> NDArray[np.uint8]:
    """Tidy each target and write labels.

    Where targets are regions they are written widest first, each as the one label that the narrower ones leave to it.

    Args:
        present: Bool (target, slice, row, column).
        targets: In the same order.
        rules: How to tidy.
        spacing_mm: (slice, row, column) spacing.
        body_of: Gives the body of a box; needed where the rules keep lesions inside it.
        sure: What the network is sure of, like `present`; needed where the rules keep the surest lesion alone.

    Returns:
        uint8 labels (slice, row, column).
    """
    regions = _are_regions(targets)
    labels = np.zeros(present.shape[1:], dtype=np.uint8)
    for number, target in enumerate(targets):
        mask = tidy(present[number], rules, spacing_mm, body_of, None if sure is None else sure[number])
        if number and regions and set(target.labels) < set(targets[number - 1].labels):
            mask &= labels > 0
        labels[mask] = own_label(target, targets[number + 1 :])
    return labels


def tidy(
    mask: NDArray[np.bool_],
    rules: MaskRules,
    spacing_mm: SpacingMm,
    body_of: BodyOf | None = None,
    sure: NDArray[np.bool_] | None = None,
) -> NDArray[np.bool_]:
    """Apply the rules to one mask, in this order: inside the body, smooth, fill, drop the small, keep the surest or largest.

    Args:
        mask: Bool (slice, row, column).
        rules: Which.
        spacing_mm: (slice, row, column) spacing.
        body_of: Gives the body of a box.
        sure: Bool (slice, row, column), what the network is sure of.

    Returns:
        A new mask.

    Raises:
        ValueError: When the body, or what the network is sure of, is needed and not given.
    """
    out = mask.copy()
    box = _box(mask, rules.smoothing_mm, spacing_mm)
    if box is None:
        return out
    inside = out[box]
    if rules.inside_body:
        if body_of is None:
            raise ValueError("Expected a way to get the body, as the rules keep lesions inside it, found none.")
        inside &= body_of(box)
    if rules.smoothing_mm > 0:
        inside[:] = _smooth(inside, rules.smoothing_mm, spacing_mm)
    if rules.fill_holes:
        inside |= ndimage.binary_fill_holes(inside)
    if rules.surest_only and sure is None:
        raise ValueError(
            "Expected what the network is sure of, as the rules keep the surest lesion alone, found nothing."
        )
    if rules.min_lesion_ml > 0 or rules.largest_only or rules.surest_only:
        _drop_parts(inside, rules, float(np.prod(spacing_mm)) / 1000.0, None if sure is None else sure[box])
    return out


def own_label(target: Target, narrower: tuple[Target, ...]) -> int:
    """Return the label that a target writes: the first of its own that no narrower target within it writes."""
    inner: set[int] = set()
    for other in narrower:
        if set(other.labels) < set(target.labels):
            inner |= set(other.labels)
    rest = [label for label in target.labels if label not in inner]
    return rest[0] if rest else target.labels[0]


def _are_regions(targets: tuple[Target, ...]) -> bool:
    return any(len(target.labels) > 1 for target in targets)


def _box(mask: NDArray[np.bool_], smoothing_mm: float, spacing_mm: SpacingMm) -> Box | None:
    """Return the box around a mask with room for smoothing; each axis looks only at what the last one left."""
    box = [slice(0, n) for n in mask.shape]
    for axis, spacing in enumerate(spacing_mm):
        others = tuple(i for i in range(3) if i != axis)
        places = np.flatnonzero(mask[tuple(box)].any(axis=others))
        if not places.size:
            return None
        room = int(np.ceil(SMOOTHING_REACH * smoothing_mm / spacing))
        box[axis] = slice(max(int(places[0]) - room, 0), min(int(places[-1]) + 1 + room, mask.shape[axis]))
    return (box[0], box[1], box[2])


def _smooth(mask: NDArray[np.bool_], sigma_mm: float, spacing_mm: SpacingMm) -> NDArray[np.bool_]:
    sigma = [sigma_mm / spacing for spacing in spacing_mm]
    soft = ndimage.gaussian_filter(mask.astype(np.float32), sigma, truncate=SMOOTHING_REACH, mode="nearest")
    return np.asarray(soft >= 0.5)


def _drop_parts(mask: NDArray[np.bool_], rules: MaskRules, voxel_ml: float, sure: NDArray[np.bool_] | None) -> None:
    parts, n_parts = ndimage.label(mask, CONNECTIVITY)
    sizes = _count(parts, n_parts, None)
    wanted = sizes * voxel_ml >= rules.min_lesion_ml
    if rules.largest_only:
        wanted &= np.arange(len(sizes)) == int(sizes.argmax())
    if rules.surest_only and sure is not None:
        # Of those that are large enough; the last of a sort by what is sure, and then by size.
        best = np.lexsort((sizes, _count(parts, n_parts, sure), wanted))[-1]
        wanted &= np.arange(len(sizes)) == best
    wanted[0] = False
    mask &= wanted[parts]


def _count(parts: NDArray[np.int32], n_parts: int, among: NDArray[np.bool_] | None) -> NDArray[np.int64]:
    """Count the voxels of each part, or those among others; of the ground, part 0, fewer than none."""
    # By slices, as `bincount` makes every voxel eight bytes.
    planes = (
        plane.ravel() if among is None else plane[here]
        for plane, here in zip(parts, parts if among is None else among, strict=True)
    )
    counts = np.sum([np.bincount(plane, minlength=n_parts + 1) for plane in planes], axis=0)
    counts[0] = -1
    return np.asarray(counts)
