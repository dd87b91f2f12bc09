"""Is a study like those that the model was trained on? Plain features, their median and spread over the training cases.

Wrong region, modality, scale, flipped intensities and noise all give an answer as confident as any; this is what says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lesionflow.data.calibration import FeatureGroup, InputProfile
from lesionflow.data.plan import ChannelPlan, Plan
from lesionflow.data.volume import Volume
from lesionflow.metrics.calibration import conformal_quantile
from lesionflow.preprocessing import WayBack

#: Voxels looked at along each axis: a study of any size takes some ten milliseconds.
STEPS = 48
PERCENT = (5.0, 25.0, 50.0, 75.0, 95.0)
#: The body's box is cut into this many parts along each axis.
PARTS = 3
#: Share of training cases that may be flagged.
FALSE_ALARMS = 0.05
#: A spread estimated on few cases is taken no smaller than this share of the unit of its feature.
LEAST_SPREAD = 0.05
#: Standard deviations in a median absolute deviation of normal values.
MAD_TO_SD = 1.4826
#: No single feature counts for more than this many spreads: what is 50 away is odd enough.
MOST_SPREADS = 50.0
EPSILON = 1e-6

GroupName = Literal["intensity", "texture", "layout", "size"]
GROUPS: tuple[GroupName, ...] = ("intensity", "texture", "layout", "size")
Features = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Oddity:
    """How unlike the training data a study is.

    Args:
        score: Distance from the training data; 1 is the limit.
        flagged: Whether it is beyond the limit.
        reasons: The groups of features beyond it, the oddest first.
    """

    score: float
    flagged: bool
    reasons: tuple[str, ...]


def measure_features(volume: Volume, way_back: WayBack, plan: Plan) -> Features:
    """Measure a study.

    Args:
        volume: All channels of the plan.
        way_back: Where its body is.
        plan: Its channels.

    Returns:
        Features by group; each in a unit in which 1 is a large difference.
    """
    body = way_back.view(volume.array)
    steps = [max(1, n // STEPS) for n in body.shape[1:]]
    coarse = body[:, :: steps[0], :: steps[1], :: steps[2]].astype(np.float64)
    groups: dict[str, list[NDArray[np.float64]]] = {name: [] for name in GROUPS}
    for values, fine, channel in zip(coarse, body, plan.channels, strict=True):
        scaled, center, scale = _to_units(values, channel)
        groups["intensity"].append(np.percentile(scaled, PERCENT))
        planes = fine[:: max(1, fine.shape[0] // 8)]
        steps_in_plane = np.abs(np.diff(planes, axis=2)).mean(dtype=np.float64)
        rough = steps_in_plane / (np.abs(planes - np.float32(center)).mean(dtype=np.float64) + EPSILON * scale)
        groups["texture"].append(np.log([rough + EPSILON]))
        groups["layout"].append(_layout(scaled))
    extents = np.array(way_back.cropped.shape) * way_back.cropped.spacing_mm
    groups["size"].append(np.log(extents))
    return {name: np.concatenate(found) for name, found in groups.items()}


def fit_profile(features: Sequence[Features]) -> InputProfile | None:
    """Learn what training inputs look like.

    The limit is a conformal quantile of the cases' own oddities, each measured against the others.

    Args:
        features: One a training case.

    Returns:
        The profile; None with fewer than five cases, of which nothing usual can be told.
    """
    n = len(features)
    if n < 5:
        return None
    tables = {name: np.stack([case[name] for case in features]) for name in GROUPS}
    distances = {name: _leave_one_out(table) for name, table in tables.items()}
    usual = {name: max(float(np.median(found)), EPSILON) for name, found in distances.items()}
    oddities = np.max([distances[name] / usual[name] for name in GROUPS], axis=0)
    limit, possible = conformal_quantile(oddities, 1.0 - FALSE_ALARMS)
    if possible < 1.0 - FALSE_ALARMS:
        # Fewer than 19 cases: beyond the oddest of them there is nothing to go by; half as odd again is allowed.
        limit *= 1.5
    groups = []
    for name in GROUPS:
        median, spread = _center(tables[name])
        groups.append(FeatureGroup(name=name, medians=tuple(median), spreads=tuple(spread), usual_distance=usual[name]))
    false_alarms = float((oddities > limit).mean())
    return InputProfile(groups=tuple(groups), limit=limit, false_alarm_fraction=false_alarms, n_cases=n)


def judge(features: Features, profile: InputProfile) -> Oddity:
    """Compare a study's features with the training data's."""
    ratios = {}
    for group in profile.groups:
        distance = _distance(features[group.name], np.array(group.medians), np.array(group.spreads))
        ratios[group.name] = float(distance) / group.usual_distance / profile.limit
    ranked = sorted(ratios, key=lambda name: -ratios[name])
    reasons = tuple(name for name in ranked if ratios[name] > 1.0)
    return Oddity(ratios[ranked[0]], bool(reasons), reasons)


def measure_oddity(volume: Volume, way_back: WayBack, plan: Plan, profile: InputProfile) -> Oddity:
    """Tell how unlike the training data a study is."""
    return judge(measure_features(volume, way_back, plan), profile)


def _to_units(values: NDArray[np.float64], channel: ChannelPlan) -> tuple[NDArray[np.float64], float, float]:
    """Scale intensities by the plan's constants where they are physical, else by the study's own spread."""
    if channel.mean is not None and channel.std is not None:
        center, scale = channel.mean, channel.std
    else:
        low, center, high = (float(v) for v in np.percentile(values, (10, 50, 90)))
        scale = max(high - low, EPSILON)
    scaled = (values - center) / scale
    # Metal and gas lie far out; beyond some spreads only the side counts.
    return np.arcsinh(scaled), center, scale


def _layout(scaled: NDArray[np.float64]) -> NDArray[np.float64]:
    means = [
        column.mean()
        for part in np.array_split(scaled, PARTS, axis=0)
        for row in np.array_split(part, PARTS, axis=1)
        for column in np.array_split(row, PARTS, axis=2)
        if column.size
    ]
    # A study of fewer slices than parts has fewer cells: the last is repeated.
    return np.array(means + means[-1:] * (PARTS**3 - len(means)))


def _center(table: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    median = np.median(table, axis=0)
    spread = MAD_TO_SD * np.median(np.abs(table - median), axis=0)
    return median, np.maximum(spread, LEAST_SPREAD)


def _distance(
    values: NDArray[np.float64], median: NDArray[np.float64], spread: NDArray[np.float64]
) -> NDArray[np.float64]:
    spreads = np.clip(np.abs(values - median) / spread, 0.0, MOST_SPREADS)
    return np.asarray(np.sqrt((spreads**2).mean(axis=-1)))


def _leave_one_out(table: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array(
        [_distance(row, *_center(np.delete(table, number, axis=0))) for number, row in enumerate(table)]
    ).ravel()
