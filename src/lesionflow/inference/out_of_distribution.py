"""Is a study like those that the model was trained on? Plain features, compared with those of the nearest training patients.

Nearest ones, not a mean: training data of legs and of trunks hold nothing that is half of each.

Wrong region, modality, scale, flipped intensities and noise all give an answer as confident as any; this is what says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionflow.data.calibration import FeatureGroup, InputProfile
from lesionflow.data.plan import ChannelPlan, Plan
from lesionflow.data.volume import Volume
from lesionflow.errors import ArtifactError
from lesionflow.metrics.conformal import PatientQuantile, coverage_band, patient_quantile
from lesionflow.preprocessing import WayBack

#: Voxels looked at along each axis: a study of any size takes some ten milliseconds.
SAMPLES_BY_AXIS = 48
PERCENT = (5.0, 25.0, 50.0, 75.0, 95.0)
#: The body's box is cut into this many parts along each axis.
PARTS = 3
#: Fewer patients than these tell nothing of what is usual.
LEAST_PATIENTS = 5
#: Distances are to so many nearest training patients.
N_NEAREST = 2
#: Each group's distances are told in units of what this share of the training patients is nearer than: groups count alike.
USUAL_SHARE = 0.9
#: Share of studies like the training data that may be flagged.
FALSE_ALARMS = 0.05
#: Of fewer than 19 patients the oddest is all there is, and more than that share may lie beyond: what is flagged is this much odder.
MARGIN_OF_FEW = 1.5
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
    steps = [max(1, n // SAMPLES_BY_AXIS) for n in body.shape[1:]]
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


def fit_profile(features: Sequence[Features], patients: Sequence[str] | None = None) -> InputProfile | None:
    """Keep what training inputs look like, and whose they are.

    Args:
        features: One a training case.
        patients: Whose each is; without, each is another patient.

    Returns:
        The profile; None with fewer than five patients, of which nothing usual can be told.
    """
    names = [str(number) for number in range(len(features))] if patients is None else list(patients)
    whose = _numbered(np.asarray(names, dtype=str))
    n_patients = len(set(names))
    if n_patients < LEAST_PATIENTS:
        return None
    tables = {name: np.stack([case[name] for case in features]).round(5) for name in GROUPS}
    found = _oddities(tables, whose)
    limit = patient_quantile(np.max(list(found.ratios.values()), axis=0), names, 1.0 - FALSE_ALARMS)
    return InputProfile(
        groups=tuple(
            FeatureGroup(
                name=name,
                spreads=tuple(found.spreads[name]),
                cases=tuple(tuple(float(value) for value in row) for row in table),
                usual_distance=found.usual[name],
            )
            for name, table in tables.items()
        ),
        limit=limit.score * _margin(limit),
        false_alarm_fraction=round(1.0 - limit.coverage, 6),
        n_cases=len(features),
        patients=tuple(int(patient) for patient in whose),
        false_alarm_high=1.0 - coverage_band(n_patients, limit.coverage).low,
    )


def judge_input(features: Features, profile: InputProfile) -> OutOfDistribution:
    """Compare a study's features with the training data's.

    It is laid among the training patients as one more, and everybody's oddity is measured alike: far from the nearest others, in spreads of all. So
    a new patient like them is as likely to be the oddest as any other, which is what the profile claims (full conformal prediction, Vovk et al.
    2005); a limit learned from training patients who are one another's neighbors would not hold for others.
    """
    if profile.patients is None:
        return _judge_by_case(features, profile)
    tables = {group.name: np.vstack([group.cases, features[group.name]]) for group in profile.groups}
    whose = np.array(profile.patients)
    found = _oddities(tables, np.append(whose, whose.max() + 1))
    usual = np.max([ratios[:-1] for ratios in found.ratios.values()], axis=0)
    limit = patient_quantile(usual, [str(patient) for patient in whose], 1.0 - FALSE_ALARMS)
    beyond = max(limit.score * _margin(limit), EPSILON)
    return _tell({name: float(ratios[-1]) / beyond for name, ratios in found.ratios.items()})


def _judge_by_case(features: Features, profile: InputProfile) -> OutOfDistribution:
    """Judge as bundles did that do not know whose their cases are: by the limit they were given."""
    ratios: dict[GroupName, float] = {}
    for group in profile.groups:
        spreads = np.array(group.spreads)
        cases = np.array(group.cases) / spreads
        distance = _nearest(features[group.name][None] / spreads, cases, np.arange(len(cases)))
        ratios[group.name] = float(distance[0]) / group.usual_distance / profile.limit
    return _tell(ratios)


def _tell(ratios: Mapping[GroupName, float]) -> OutOfDistribution:
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


class _Oddities(NamedTuple):
    """By group: features' spreads, the usual distance, and each case's distance from other patients in units of it."""

    spreads: dict[GroupName, NDArray[np.float64]]
    usual: dict[GroupName, float]
    ratios: dict[GroupName, NDArray[np.float64]]


def _oddities(tables: Mapping[GroupName, NDArray[np.float64]], whose: NDArray[np.intp]) -> _Oddities:
    """Measure how far each case lies from the nearest other patients."""
    found = _Oddities({}, {}, {})
    for name, table in tables.items():
        spread = _spread(table)
        distances = _nearest(table / spread, table / spread, whose, apart_from=whose)
        # A patient with several studies counts once.
        by_patient = np.bincount(whose, distances) / np.bincount(whose)
        found.spreads[name] = spread
        found.usual[name] = max(float(np.quantile(by_patient, USUAL_SHARE)), EPSILON)
        found.ratios[name] = distances / found.usual[name]
    return found


def _margin(limit: PatientQuantile) -> float:
    return MARGIN_OF_FEW if limit.coverage < 1.0 - FALSE_ALARMS else 1.0


def _nearest(
    rows: NDArray[np.float64],
    cases: NDArray[np.float64],
    numbers: NDArray[np.intp],
    apart_from: NDArray[np.intp] | None = None,
) -> NDArray[np.float64]:
    """Return each row's mean distance to its nearest patients, each of whom is as near as the nearest of their cases.

    Args:
        rows: (row, feature) in spreads.
        cases: (case, feature) in spreads.
        numbers: (case,) the number of each case's patient.
        apart_from: (row,) the patient that each row itself is of, who is no neighbor of it.
    """
    steps = np.minimum(np.abs(rows[:, None] - cases[None]), MOST_SPREADS)
    distances = np.sqrt((steps**2).mean(axis=-1))
    nearest = np.full((int(numbers.max()) + 1, len(rows)), np.inf)
    np.minimum.at(nearest, numbers, distances.T)
    if apart_from is not None:
        nearest[apart_from, np.arange(len(rows))] = np.inf
    return np.asarray(np.sort(nearest, axis=0)[:N_NEAREST].mean(axis=0))


def _numbered(names: NDArray[np.str_]) -> NDArray[np.intp]:
    return np.asarray(np.unique(names, return_inverse=True)[1])
