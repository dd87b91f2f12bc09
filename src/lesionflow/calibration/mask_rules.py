"""Choose how probabilities become a mask: each rule is kept only if it helps on the validation cases."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from lesionflow.data.calibration import MaskRules, RuleTrial
from lesionflow.data.case import Case
from lesionflow.data.dataset import Target
from lesionflow.data.geometry import Geometry
from lesionflow.data.plan import Plan
from lesionflow.data.volume import IGNORED
from lesionflow.inference.lesion_probabilities import (
    NEGLIGIBLE,
    TargetProbabilities,
    measure_probabilities,
    raw_threshold,
    sum_expected,
)
from lesionflow.inference.postprocessing import SMOOTHING_REACH, Box, above_threshold, to_labels
from lesionflow.inference.segmenter import NetworkAnswer
from lesionflow.metrics.overlap import count, dice
from lesionflow.preprocessing import filled_body, source_slabs

#: A rule must raise the mean Dice by this much: less is chance, whatever the number of cases.
LEAST_GAIN = 0.002
#: What is tried, in this order, each against the best so far.
TRIALS: Mapping[str, tuple[float | bool, ...]] = {
    "probability_threshold": (0.3, 0.4, 0.5, 0.6, 0.7),
    "min_lesion_ml": (0.0, 0.1, 0.5, 1.0, 2.0),
    "fill_holes": (True, False),
    "smoothing_mm": (0.0, 1.0, 2.0),
    "inside_body": (False, True),
    "largest_only": (False, True),
}
#: Rules that throw away what the network found, whatever its size: of a patient with two tumors, one. Chance alone must not
#: explain their gains (one-sided sign test): five cases that gain and none that lose are the fewest that do.
DISCARDING = frozenset({("largest_only", True)})
MOST_CHANCE = 0.05


@dataclass(frozen=True, eq=False)
class RuleCase:
    """A validation case as rules see it: what is probable and what is true, in the box of all that is either.

    Args:
        geometry: That box, with room for smoothing, in the study's own space.
        targets: The network's outputs.
        places: Of each target, the voxels that are not negligible, and those of the reference, by their number in the box.
        probabilities: Theirs, as the network gave them.
        truth: The labelled voxels.
        labels: Theirs.
        body: The filled body in the box, eight voxels a byte.
    """

    geometry: Geometry
    targets: tuple[Target, ...]
    places: tuple[NDArray[np.int64], ...]
    probabilities: tuple[NDArray[np.float32], ...]
    truth: NDArray[np.int64]
    labels: NDArray[np.uint8]
    body: NDArray[np.uint8]

    @classmethod
    def of(cls, case: Case, answer: NetworkAnswer, plan: Plan) -> "RuleCase":
        """Keep of a case what is needed; where it is not known, it counts as certain background, found and true."""
        way, reference = answer.way_back, case.reference_mask
        labels = np.zeros(way.cropped.shape, np.uint8) if reference is None else way.view(reference.labels)
        whole = np.where(labels == IGNORED, np.uint8(0), labels)
        found: list[list[_Sparse]] = [[] for _ in plan.targets]
        for block, part in source_slabs(answer.probabilities, way):
            for target, given in zip(found, part, strict=True):
                values = np.where(labels[block] == IGNORED, np.float32(0.0), given)
                index = np.nonzero((values >= NEGLIGIBLE) | (whole[block] > 0))
                target.append(_Sparse((index[0] + block.start, index[1], index[2]), values[index]))
        sparse = [_Sparse.joined(parts) for parts in found]
        box = _room(way.cropped, [one.where for one in sparse])
        geometry = way.cropped.cut(box)
        near = np.ascontiguousarray(whole[box]).ravel()
        truth = np.flatnonzero(near)
        planes = way.view(case.volume.array)[:, box[0]]
        body = filled_body(planes, tuple(channel.kind for channel in plan.channels))[:, box[1], box[2]]
        return cls(
            geometry,
            plan.targets,
            tuple(one.places(box, geometry) for one in sparse),
            tuple(one.values for one in sparse),
            truth,
            near[truth],
            np.packbits(body),
        )

    def dense(self) -> NDArray[np.float32]:
        """Return the probabilities (target, slice, row, column)."""
        whole = np.zeros((len(self.targets), int(np.prod(self.geometry.shape))), dtype=np.float32)
        for row, places, values in zip(whole, self.places, self.probabilities, strict=True):
            row[places] = values
        return whole.reshape(len(self.targets), *self.geometry.shape)

    def reference(self) -> NDArray[np.uint8]:
        """Return the true labels (slice, row, column)."""
        whole = np.zeros(int(np.prod(self.geometry.shape)), dtype=np.uint8)
        whole[self.truth] = self.labels
        return whole.reshape(self.geometry.shape)

    def predict(self, rules: MaskRules, temperature: float) -> NDArray[np.uint8]:
        """Return the labels that the rules give."""

        def body_of(box: Box) -> NDArray[np.bool_]:
            size = int(np.prod(self.geometry.shape))
            return np.unpackbits(self.body, count=size).reshape(self.geometry.shape)[box].astype(bool)

        present = above_threshold(self.dense(), self.targets, raw_threshold(rules, temperature))
        return to_labels(present, self.targets, rules, self.geometry.spacing_mm, body_of)

    def score(self, labels: NDArray[np.uint8]) -> tuple[float, ...]:
        """Return the Dice of each target."""
        truth = self.reference()
        return tuple(dice(count(np.isin(truth, t.labels), np.isin(labels, t.labels))) for t in self.targets)

    def measure_probabilities(self, labels: NDArray[np.uint8], temperature: float) -> tuple[TargetProbabilities, ...]:
        """Return what the probabilities say of a mask, each lesion compared with the reference."""
        whole = self.dense()

        def slabs(first: int, last: int) -> Iterator[tuple[slice, NDArray[np.float32]]]:
            yield slice(first, last), whole[:, first:last]

        expected = sum_expected(whole, temperature)
        return measure_probabilities(
            labels, self.geometry, slabs, self.targets, temperature, expected, self.reference()
        )


class _Sparse(NamedTuple):
    """Some voxels: where they are, and what they hold."""

    where: tuple[NDArray[np.intp], ...]
    values: NDArray[np.float32]

    @classmethod
    def joined(cls, parts: Sequence["_Sparse"]) -> "_Sparse":
        index = tuple(np.concatenate([part.where[axis] for part in parts]) for axis in range(3))
        return cls(index, np.concatenate([part.values for part in parts]))

    def places(self, box: Box, geometry: Geometry) -> NDArray[np.int64]:
        """Return the voxels' numbers in a box that holds them all."""
        within = tuple(places - side.start for places, side in zip(self.where, box, strict=True))
        return np.ravel_multi_index(within, geometry.shape)


def _room(geometry: Geometry, indices: Sequence[tuple[NDArray[np.intp], ...]]) -> Box:
    """Return the box of all the voxels, with room for the widest smoothing that is tried; of one voxel where there is none."""
    widest = max(TRIALS["smoothing_mm"])
    box = []
    for axis, (n, spacing) in enumerate(zip(geometry.shape, geometry.spacing_mm, strict=True)):
        places = np.concatenate([index[axis] for index in indices])
        room = int(np.ceil(SMOOTHING_REACH * widest / spacing))
        low, high = (int(places.min()), int(places.max()) + 1) if places.size else (0, 1)
        box.append(slice(max(low - room, 0), min(high + room, n)))
    return (box[0], box[1], box[2])


class Choice(NamedTuple):
    """The rules chosen, mean validation Dice with the params' rules and with these, and every trial."""

    rules: MaskRules
    dice_before: float
    dice_after: float
    trials: tuple[RuleTrial, ...]


def choose_rules(cases: Sequence[RuleCase], start: MaskRules, temperature: float) -> Choice:
    """Try every rule in turn; keep a value when it raises the mean Dice and helps at least as many cases as it harms.

    A rule that throws away found lesions must do so beyond chance.

    Args:
        cases: Validation cases, at least one.
        start: The params' rules.
        temperature: Of the calibration.

    Returns:
        What was chosen.
    """
    rules, scores = start, _scores(cases, start, temperature)
    before = float(scores.mean())
    trials = []
    for name, values in TRIALS.items():
        best, best_scores = rules, scores
        for value in values:
            if value == getattr(rules, name):
                continue
            tried = rules.model_copy(update={name: value})
            found = _scores(cases, tried, temperature)
            better, worse = int((found > scores).sum()), int((found < scores).sum())
            helps = found.mean() >= scores.mean() + LEAST_GAIN and better >= worse
            if helps and (name, value) in DISCARDING:
                helps = binomtest(better, better + worse, alternative="greater").pvalue <= MOST_CHANCE
            if helps and found.mean() > best_scores.mean():
                best, best_scores = tried, found
            trials.append((tried, name, value, float(scores.mean()), float(found.mean()), better, worse))
        rules, scores = best, best_scores
    kept = {name: getattr(rules, name) for name in TRIALS}
    told = tuple(
        RuleTrial(
            rule=name,
            value=value,
            dice_before=round(low, 6),
            dice_after=round(high, 6),
            n_better=better,
            n_worse=worse,
            kept=kept[name] == value,
        )
        for _, name, value, low, high, better, worse in trials
    )
    return Choice(rules, before, float(scores.mean()), told)


def _scores(cases: Sequence[RuleCase], rules: MaskRules, temperature: float) -> NDArray[np.float64]:
    """Return the mean Dice over targets of each case."""
    return np.array([np.mean(case.score(case.predict(rules, temperature))) for case in cases])
