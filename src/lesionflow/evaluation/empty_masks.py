"""Cases where one mask is empty: a tumor that was missed, or one that was made up.

Such a case has no finite distance. It is counted beside the mean of the others, and never passed over where models are compared:
there it gets the worst value that its image holds, so that a model can't win by missing what is hard.

References:
    The diagonal of the image as penalty: BraTS' 374 mm is that of its 240 x 240 x 155 mm (`metrics.lesion_wise`).
"""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lesionflow.metrics import METRICS
from lesionflow.metrics.lesion import SIZE_CLASSES_ML
from lesionflow.metrics.lesion_wise import PENALTY_MM
from lesionflow.metrics.pair import MaskPair

MISSED, FALSE_ALARM, BOTH, NEITHER = "missed", "false alarm", "both", "neither"
KEYS = ["case_id", "target"]
DIAGONAL = "image_diagonal_mm"
#: By which columns a case's masks are told; scores of all versions have them.
VOLUMES = ("reference_ml", "predicted_ml")


def outcomes(scores: pd.DataFrame) -> pd.Series:
    """Tell for each row which masks hold anything.

    Args:
        scores: A row a case and target, with `VOLUMES`.

    Returns:
        `both`, `missed` (the reference alone), `false alarm` (the prediction alone) or `neither`; `both` where it can't be told.
    """
    if not set(VOLUMES) <= set(scores):
        return pd.Series(BOTH, index=scores.index, dtype=object)
    volumes = [scores[name].to_numpy(dtype=float) for name in VOLUMES]
    reference, predicted = (volume > 0 for volume in volumes)
    known = ~np.isnan(volumes).any(axis=0)
    found = np.select(
        [known & reference & ~predicted, known & ~reference & predicted, known & ~reference & ~predicted],
        [MISSED, FALSE_ALARM, NEITHER],
        BOTH,
    )
    return pd.Series(found, index=scores.index, dtype=object)


def with_misses(scores: pd.DataFrame, metrics: Iterable[str]) -> pd.DataFrame:
    """Give missed tumors and false alarms the value that they have by today's rule.

    Until version 0.1 a surface Dice, a distance or a lesion's figure of such a case was left undefined; what is stored of it says
    which cases they are.

    Args:
        scores: A row a case and target, of any version.
        metrics: Columns to complete; those that are lacking are passed over.

    Returns:
        The same where nothing was left out.
    """
    kinds, completed = outcomes(scores), {}
    for name in metrics:
        # What a miss gives by size depends on the lesion's size, which is not known here.
        if name not in scores or name not in METRICS or name.endswith(tuple(SIZE_CLASSES_ML)):
            continue
        column = scores[name].astype(float)
        if not column.isna().any():
            continue
        for kind in (MISSED, FALSE_ALARM):
            column = column.mask(column.isna() & (kinds == kind), value_of(name, kind))
        completed[name] = column
    return scores.assign(**completed) if completed else scores


@cache
def value_of(metric: str, kind: str) -> float:
    """Return what a metric is of a case that was missed, is a false alarm, or is empty in both masks.

    Args:
        metric: A name in `METRICS`; not of one size of lesions.
        kind: `missed`, `false alarm` or `neither`.
    """
    reference, predicted = [[[kind == MISSED]]], [[[kind == FALSE_ALARM]]]
    return METRICS[metric].of(MaskPair(reference, predicted, (1.0, 1.0, 1.0)))


class Comparable(NamedTuple):
    """A metric of several models, a row a case and target (`KEYS`), a column a model; and where it had no finite value."""

    values: pd.DataFrame
    infinite: pd.DataFrame


def comparable(models: Sequence[pd.DataFrame], metric: str) -> Comparable:
    """Return one metric of one or more models as it may be compared, case by case.

    What has no finite value gets the image's diagonal, or the largest value of any model where that is more; BraTS' 374 mm where no
    diagonal is known, as in scores of version 0.1. What is undefined for one as reference and prediction are empty, while another model
    raised a false alarm, gets the best value. What is undefined for all stays so. A missed tumor is never better than what another
    model makes of the case, whatever the metric: of volume errors, false lesions or specificity a miss alone would be.

    Args:
        models: Scores, a row a case and target; the first says which.
        metric: Its name, with a direction.
    """
    index = pd.MultiIndex.from_frame(models[0][KEYS])
    sides = [_in_order(with_misses(model, [metric]), models[0], index) for model in models]
    values = np.column_stack([side[metric].to_numpy(dtype=float) for side in sides])
    kinds = np.column_stack([outcomes(side).to_numpy() for side in sides])
    infinite, undefined = np.isinf(values), np.isnan(values)
    direction, best = METRICS[metric].direction, METRICS[metric].upper if METRICS[metric].direction > 0 else 0.0
    worst = _worst(np.where(infinite, np.nan, values), sides)
    perfect = undefined & (kinds == NEITHER) & ~undefined.all(axis=1, keepdims=True)
    filled = np.where(perfect, best, np.where(infinite, -direction * worst[:, None], values))
    # Who finds nothing makes no false lesion and no volume too much: what a miss has by that is no gain.
    others = direction * np.fmin.reduce(direction * filled, axis=1)
    filled = np.where((kinds == MISSED) & ~np.isnan(filled), others[:, None], filled)
    return Comparable(pd.DataFrame(filled, index=index), pd.DataFrame(infinite, index=index))


def _in_order(scores: pd.DataFrame, first: pd.DataFrame, index: pd.MultiIndex) -> pd.DataFrame:
    """Return the rows in the order of the first table's; one that is lacking has no value."""
    if len(scores) == len(first) and all(np.array_equal(scores[key], first[key]) for key in KEYS):
        return scores
    return scores.set_index(KEYS).reindex(index)


def _worst(finite: NDArray[np.float64], sides: Sequence[pd.DataFrame]) -> NDArray[np.float64]:
    """Return the distance that stands for none, a row a case: never less than one that was measured."""
    diagonals = np.full(len(finite), np.nan)
    for side in sides:
        if DIAGONAL in side:
            diagonals = np.fmax(diagonals, side[DIAGONAL].to_numpy(dtype=float))
    largest = float(np.nanmax(np.abs(finite), initial=0.0)) if finite.size and not np.isnan(finite).all() else 0.0
    return np.maximum(np.where(np.isnan(diagonals), PENALTY_MM, diagonals), largest)
