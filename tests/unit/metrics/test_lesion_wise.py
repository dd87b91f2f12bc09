"""The rule of BraTS against numbers counted by hand and the rule written out voxel by voxel."""

import numpy as np
import pytest
from scipy import ndimage

from lesionflow.metrics import score_pair
from support.masks import boxes


def _brats_plainly(reference: np.ndarray, predicted: np.ndarray, spacing: tuple[float, float, float]) -> float:
    """Write the published rule out over whole images, lesion by lesion."""
    step, whole = ndimage.generate_binary_structure(3, 2), np.ones((3, 3, 3))
    theirs, _ = ndimage.label(predicted, whole)
    groups, n_groups = ndimage.label(ndimage.binary_dilation(reference, step, iterations=3), whole)
    dice, used = [], set()
    for group in range(1, n_groups + 1):
        lesion = reference & (groups == group)
        around = ndimage.binary_dilation(lesion, step, iterations=3)
        partners = {int(n) for n in np.unique(theirs[around])} - {0}
        used |= partners
        if lesion.sum() * np.prod(spacing) <= 50:
            continue
        mine = np.isin(theirs, list(partners))
        dice.append(2 * (lesion & mine).sum() / (lesion.sum() + mine.sum()))
    n_false = theirs.max() - len(used)
    return sum(dice) / (len(dice) + n_false) if len(dice) + n_false else 1.0


@pytest.mark.parametrize("seed", range(6))
def test_the_brats_rule_is_the_published_one(seed: int) -> None:
    random = np.random.default_rng(seed)
    shape = (19, 31, 37)
    one, other = (ndimage.binary_dilation(random.random(shape) > 0.9994, iterations=2) for _ in range(2))
    predicted = (one & (random.random(shape) > 0.3)) | other
    spacing = (1.2, 1.0, 1.1)
    found = score_pair(one, predicted, spacing)["brats_lesion_dice"]
    assert found == pytest.approx(_brats_plainly(one, predicted, spacing))
    assert 0 < found < 1


def test_the_brats_rule_by_hand() -> None:
    # One lesion of 64 mm3 found whole; one missed; one made up far away: Dice (1 + 0 + 0) / 3, HD95 (0 + 2 * 374) / 3.
    shape = (30, 30, 30)
    reference = boxes(((0, 0, 0), (4, 4, 4)), ((0, 20, 0), (4, 24, 4)), shape=shape)
    predicted = boxes(((0, 0, 0), (4, 4, 4)), ((20, 20, 20), (24, 24, 24)), shape=shape)
    found = score_pair(reference, predicted, (1.0, 1.0, 1.0))
    assert found["brats_lesion_dice"] == pytest.approx(1 / 3)
    assert found["brats_lesion_hd95_mm"] == pytest.approx(2 * 374 / 3)
    # Two pieces six voxels apart count as one lesion; 27 mm3 alone would not count at all.
    pieces = boxes(((0, 0, 0), (3, 3, 3)), ((0, 0, 8), (3, 3, 11)), shape=shape)
    found = score_pair(pieces, boxes(((0, 0, 0), (3, 3, 3)), shape=shape), (1.0, 1.0, 1.0))
    assert found["brats_lesion_dice"] == pytest.approx(2 * 27 / (54 + 27))
    alone = boxes(((0, 0, 0), (3, 3, 3)), shape=shape)
    assert score_pair(alone, np.zeros(shape, bool), (1.0, 1.0, 1.0))["brats_lesion_dice"] == 1.0
