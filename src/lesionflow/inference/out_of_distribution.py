"""Is a study like those that the model was trained on? Plain features, compared with those of the nearest training cases.

Nearest ones, not a mean: training data of legs and of trunks hold nothing that is half of each.

Wrong region, modality, scale, flipped intensities and noise all give an answer as confident as any; this is what says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lesionflow.data.calibration import FeatureGroup, InputProfile
from lesionflow.data.plan import ChannelPlan, Plan
from lesionflow.data.volume import Volume
from lesionflow.errors import ArtifactError
from lesionflow.metrics.probabilities import conformal_quantile
from lesionflow.preprocessing import WayBack

#: Voxels looked at along each axis: a study of any size takes some ten milliseconds.
STEPS = 48
PERCENT = (5.0, 25.0, 50.0, 75.0, 95.0)
#: The body's box is cut into this many parts along each axis.
PARTS = 3
#: Distances are to so many nearest training cases.
N_NEAREST = 2
#: Each group's distances are told in units of what this share of the training cases is nearer than: groups count alike.
USUAL_SHARE = 0.9
#: Share of training cases that may be flagged.
FALSE_ALARMS = 0.05
#: The limit is itself estimated, on some dozen cases, and may be so much too low. Of fewer than 19 the oddest is all there is.
MARGIN, MARGIN_OF_FEW = 1.1, 1.5
#: A spread estimated on few cases is taken no smaller than this share of the unit of its feature.
LEAST_SPREAD = 0.05
#: Standard deviations in a median absolute deviation of normal values.
MAD_TO_SD = 1.4826
#: No single feature counts for more than this many spreads: what is 50 away is odd enough.
MOST_SPREADS = 50.0
EPSILON = 1e-6
#: Correlations of neighboring voxels nearer to 1 than this are called 1.
LEAST_CHANGE = 1e-3
#: Planes that texture is measured on.
PLANES = 8

GroupName = Literal["intensity", "texture", "layout", "size"]
GROUPS: tuple[GroupName, ...] = ("intensity", "texture", "layout", "size")
Features = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class OutOfDistribution:
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
        groups["texture"].append(_texture(fine, center, scale))
        groups["layout"].append(_layout(scaled))
    extents = np.array(way_back.cropped.shape) * way_back.cropped.spacing_mm
    groups["size"].append(np.log(extents))
    return {name: np.concatenate(found) for name, found in groups.items()}


def require_profile(profile: InputProfile, plan: Plan) -> None:
    """Refuse a profile that was fitted for other channels.

    Raises:
        ArtifactError: It names the group of features.
    """
    n = len(plan.channels)
    sizes = {"intensity": len(PERCENT) * n, "texture": 4 * n, "layout": PARTS**3 * n, "size": 3}
    for group in profile.groups:
        if {len(group.spreads), *map(len, group.cases)} != {sizes[group.name]}:
            raise ArtifactError(
                f"Expected {sizes[group.name]} features of {group.name} in the bundle's profile, as its plan has {n} channels, "
                f"found {len(group.spreads)}. Is the calibration that of another bundle?"
            )


def fit_profile(features: Sequence[Features]) -> InputProfile | None:
    """Learn what training inputs look like.

    The limit is a conformal quantile of the cases' own oddities, each measured against the others. Only their spreads are
    those of all.

    Args:
        features: One a training case.

    Returns:
        The profile; None with fewer than five cases, of which nothing usual can be told.
    """
    n = len(features)
    if n < 5:
        return None
    tables = {name: np.stack([case[name] for case in features]) for name in GROUPS}
    groups, ratios = [], []
    for name, table in tables.items():
        spread = _spread(table)
        distances = _nearest(table / spread, table / spread, apart=True)
        usual = max(float(np.quantile(distances, USUAL_SHARE)), EPSILON)
        ratios.append(distances / usual)
        cases = tuple(tuple(round(float(value), 5) for value in row) for row in table)
        groups.append(FeatureGroup(name=name, spreads=tuple(spread), cases=cases, usual_distance=usual))
    oddities = np.max(ratios, axis=0)
    limit, possible = conformal_quantile(oddities, 1.0 - FALSE_ALARMS)
    limit *= MARGIN if possible == 1.0 - FALSE_ALARMS else MARGIN_OF_FEW
    false_alarms = float((oddities > limit).mean())
    return InputProfile(groups=tuple(groups), limit=limit, false_alarm_fraction=false_alarms, n_cases=n)


def judge_input(features: Features, profile: InputProfile) -> OutOfDistribution:
    """Compare a study's features with the training data's."""
    ratios = {}
    for group in profile.groups:
        spreads = np.array(group.spreads)
        distance = _nearest(features[group.name][None] / spreads, np.array(group.cases) / spreads, apart=False)
        ratios[group.name] = float(distance[0]) / group.usual_distance / profile.limit
    ranked = sorted(ratios, key=lambda name: -ratios[name])
    reasons = tuple(name for name in ranked if ratios[name] > 1.0)
    return OutOfDistribution(ratios[ranked[0]], bool(reasons), reasons)


def measure_out_of_distribution(
    volume: Volume, way_back: WayBack, plan: Plan, profile: InputProfile
) -> OutOfDistribution:
    """Tell how unlike the training data a study is."""
    return judge_input(measure_features(volume, way_back, plan), profile)


def _to_units(values: NDArray[np.float64], channel: ChannelPlan) -> tuple[NDArray[np.float64], float, float]:
    """Scale intensities by the plan's constants where they are physical, else by the study's own spread."""
    if channel.mean is not None and channel.std is not None:
        center, scale = channel.mean, channel.std
    else:
        low, center, high = (float(v) for v in np.percentile(values, (10, 50, 90)))
        scale = max(high - low, EPSILON)
    return _squash(values, center, scale), center, scale


def _texture(body: NDArray[np.float32], center: float, scale: float) -> NDArray[np.float64]:
    """Return how rough a body is, and how much neighbors along row, column and slice differ; logarithms."""
    step = max(1, body.shape[0] // PLANES)
    planes = body[::step]
    spread = np.abs(planes - np.float32(center)).mean(dtype=np.float64) + EPSILON * scale
    rough = np.abs(np.diff(planes, axis=2)).mean(dtype=np.float64) / spread if planes.shape[2] > 1 else 0.0
    above = body[1::step]
    pairs = ((planes[:, 1:], planes[:, :-1]), (planes[:, :, 1:], planes[:, :, :-1]), (above, planes[: len(above)]))
    changes = [1.0 - _correlation(_squash(a, center, scale), _squash(b, center, scale)) for a, b in pairs]
    return np.log([rough + EPSILON, *(change + LEAST_CHANGE for change in changes)])


def _squash(values: NDArray[Any], center: float, scale: float) -> NDArray[np.float64]:
    """Scale intensities. Metal and gas lie far out; beyond some spreads only the side counts."""
    return np.asarray(np.arcsinh((values.astype(np.float64) - center) / scale))


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Pearson's correlation; 1 where there is nothing to correlate."""
    if not a.size:
        return 1.0
    a, b = a - a.mean(), b - b.mean()
    both = float(np.sqrt((a**2).mean() * (b**2).mean()))
    return float((a * b).mean()) / both if both > 0 else 1.0


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


def _spread(table: NDArray[np.float64]) -> NDArray[np.float64]:
    spread = MAD_TO_SD * np.median(np.abs(table - np.median(table, axis=0)), axis=0)
    return np.maximum(spread, LEAST_SPREAD)


def _nearest(rows: NDArray[np.float64], cases: NDArray[np.float64], *, apart: bool) -> NDArray[np.float64]:
    """Return each row's mean distance to its nearest cases; with `apart`, rows are the cases and none is its own neighbor."""
    steps = np.minimum(np.abs(rows[:, None] - cases[None]), MOST_SPREADS)
    distances = np.sqrt((steps**2).mean(axis=-1))
    if apart:
        np.fill_diagonal(distances, np.inf)
    return np.asarray(np.sort(distances, axis=1)[:, :N_NEAREST].mean(axis=1))
