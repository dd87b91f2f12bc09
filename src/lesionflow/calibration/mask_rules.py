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
    sure_threshold,
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
    "surest_only": (False, True),
}
#: Rules that throw away what the network found, whatever its size: of a patient with two tumors, one. Chance alone must not
#: explain their gains (one-sided sign test), and there must be patients enough that one with two tumors would be among them: on five real
#: sarcomas the largest lesion alone looked better, and on six others it lowered the mean Dice from 0.634 to 0.597.
DISCARDING = frozenset({("surest_only", True)})
MOST_CHANCE, LEAST_PATIENTS_TO_DISCARD = 0.05, 10
#: What the rules are worth is told by folds of patients, each under the rules that the others choose.
N_FOLDS = 5


@dataclass(frozen=True, eq=False)
class RuleCase:
    """A validation case as rules see it: what is probable and what is true, in the box of all that is either.

    Args:
        patient_id: Whose it is.
        geometry: That box, with room for smoothing, in the study's own space.
        targets: The network's outputs.
        places: Of each target, the voxels that are not negligible, and those of the reference, by their number in the box.
        probabilities: Theirs, as the network gave them.
        truth: The labelled voxels.
        labels: Theirs.
        body: The filled body in the box, eight voxels a byte.
    """

    patient_id: str
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
            case.patient_id,
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

        dense = self.dense()
        present = above_threshold(dense, self.targets, raw_threshold(rules, temperature))
        sure = above_threshold(dense, self.targets, sure_threshold(temperature)) if rules.surest_only else None
        return to_labels(present, self.targets, rules, self.geometry.spacing_mm, body_of, sure)

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
    """What was chosen.

    `rules`: those chosen by all. `dice_before`, `dice_after`: mean validation Dice with the params' rules and with these. `trials`: every one.
    `rules_unseen`: of each case, the rules that other patients chose; `dice_cross_fitted`: the mean Dice with those. Patients weigh alike.
    """

    rules: MaskRules
    dice_before: float
    dice_after: float
    trials: tuple[RuleTrial, ...]
    rules_unseen: tuple[MaskRules, ...]
    dice_cross_fitted: float


class _Scored:
    """Dice by patient, of any rules, each measured once: rules are chosen anew for every fold."""

    def __init__(self, cases: Sequence[RuleCase], temperature: float) -> None:
        self.cases, self.temperature = cases, temperature
        names = [case.patient_id for case in cases]
        self.patients, self.whose = np.unique(np.asarray(names, dtype=str), return_inverse=True)
        self._known: dict[MaskRules, NDArray[np.float64]] = {}

    def of(self, rules: MaskRules) -> NDArray[np.float64]:
        """Return each patient's mean Dice over targets and studies, (patient,)."""
        if rules not in self._known:
            scores = [np.mean(case.score(case.predict(rules, self.temperature))) for case in self.cases]
            self._known[rules] = np.bincount(self.whose, scores) / np.bincount(self.whose)
        return self._known[rules]


def choose_rules(cases: Sequence[RuleCase], start: MaskRules, temperature: float) -> Choice:
    """Try every rule in turn; keep a value when it raises the mean Dice and helps at least as many patients as it harms.

    A rule that throws away found lesions must do so beyond chance, on patients enough. What the choice is worth is told by patients who had no
    part in it.

    Args:
        cases: Validation cases, at least one.
        start: The params' rules.
        temperature: Of the calibration.

    Returns:
        What was chosen.
    """
    scored = _Scored(cases, temperature)
    n = len(scored.patients)
    rules, trials = _choose(scored, start, np.ones(n, dtype=bool))
    fold_of = np.arange(n) % N_FOLDS
    unseen = [start] * n
    for fold in range(min(N_FOLDS, n) if n > 1 else 0):
        chosen, _ = _choose(scored, start, fold_of != fold)
        unseen = [chosen if fold_of[patient] == fold else known for patient, known in enumerate(unseen)]
    cross_fitted = [scored.of(known)[patient] for patient, known in enumerate(unseen)]
    return Choice(
        rules,
        float(scored.of(start).mean()),
        float(scored.of(rules).mean()),
        trials,
        tuple(unseen[patient] for patient in scored.whose),
        float(np.mean(cross_fitted)),
    )


def _choose(scored: _Scored, start: MaskRules, among: NDArray[np.bool_]) -> tuple[MaskRules, tuple[RuleTrial, ...]]:
    """Choose by some patients, Bool (patient,)."""
    rules, scores, trials = start, scored.of(start)[among], []
    for name, values in TRIALS.items():
        best, best_scores = rules, scores
        for value in values:
            if value == getattr(rules, name):
                continue
            tried = rules.model_copy(update={name: value})
            found = scored.of(tried)[among]
            better, worse = int((found > scores).sum()), int((found < scores).sum())
            helps = found.mean() >= scores.mean() + LEAST_GAIN and better >= worse
            if helps and (name, value) in DISCARDING:
                chance = binomtest(better, better + worse, alternative="greater").pvalue
                helps = chance <= MOST_CHANCE and len(found) >= LEAST_PATIENTS_TO_DISCARD
            if helps and found.mean() > best_scores.mean():
                best, best_scores = tried, found
            trials.append((name, value, float(scores.mean()), float(found.mean()), better, worse))
        rules, scores = best, best_scores
    told = tuple(
        RuleTrial(
            rule=name,
            value=value,
            dice_before=round(low, 6),
            dice_after=round(high, 6),
            n_better=better,
            n_worse=worse,
            kept=getattr(rules, name) == value,
        )
        for name, value, low, high, better, worse in trials
    )
    return rules, told
