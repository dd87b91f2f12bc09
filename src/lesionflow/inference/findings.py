"""How sure the model is: of a volume, of a lesion, of the mask as a whole, each with a figure measured beforehand."""

import math
from collections.abc import Mapping, Sequence

from lesionflow.data.calibration import DicePrediction, LesionConfidence, TargetConfidence
from lesionflow.data.quantities.target_finding import FoundLesion, Interval, PredictedDice, TargetFinding
from lesionflow.inference.lesion_probabilities import TargetProbabilities

#: Probabilities are held this far from 0 and 1, so that their logits are finite.
LEAST = 1e-6


def describe(evidence: Sequence[TargetProbabilities], known: Sequence[TargetConfidence]) -> tuple[TargetFinding, ...]:
    """Say how sure the model is of what it found.

    Args:
        evidence: One a target.
        known: What was fitted on the validation cases, one a target, or nothing.

    Returns:
        One a target.
    """
    fitted: Mapping[str, TargetConfidence] = {target.name: target for target in known}
    return tuple(_describe(found, fitted.get(found.name)) for found in evidence)


def predict_dice(found: TargetProbabilities, fitted: DicePrediction) -> float:
    """Return the predicted Dice of a mask, 0..1."""
    if found.volume_ml == 0:
        return fitted.when_removed if found.possible_ml and fitted.when_removed is not None else fitted.when_empty
    signs = found.signs
    said = sum(weight * signs[name] for name, weight in fitted.weights.items())
    return min(max(fitted.intercept + fitted.slope * found.expected_dice + said, 0.0), 1.0)


def lesion_confidence(mean_probability: float, fitted: LesionConfidence | None) -> float:
    """Return the probability that a lesion is real; its mean probability where nothing was fitted."""
    if fitted is None:
        return mean_probability
    return 1.0 / (1.0 + math.exp(-(fitted.intercept + fitted.slope * logit(mean_probability))))


def logit(probability: float) -> float:
    """ln(p / (1 - p)), finite at 0 and 1 too."""
    p = min(max(probability, LEAST), 1.0 - LEAST)
    return math.log(p / (1.0 - p))


def _describe(found: TargetProbabilities, fitted: TargetConfidence | None) -> TargetFinding:
    interval = dice = None
    if fitted is not None and fitted.volume is not None:
        low, high = fitted.volume.around(found.volume_ml)
        known = fitted.volume
        interval = Interval(low, high, known.coverage, known.coverage_low, known.coverage_high)
    if fitted is not None and fitted.dice is not None:
        dice = _predicted(found, fitted.dice)
    model = fitted.lesions if fitted is not None else None
    lesions = tuple(
        FoundLesion(
            found_lesion.volume_ml,
            found_lesion.center_mm,
            lesion_confidence(found_lesion.mean_probability, model),
            found_lesion.diameters,
        )
        for found_lesion in found.lesions
    )
    mean = found.expected_inside_ml / found.volume_ml if found.volume_ml > 0 else None
    return TargetFinding(found.name, found.volume_ml, mean, interval, dice, lesions)


def _predicted(found: TargetProbabilities, fitted: DicePrediction) -> PredictedDice:
    value, rule = predict_dice(found, fitted), fitted.review
    if rule is None or rule.below is None:
        return PredictedDice(value, fitted.mean_absolute_error)
    return PredictedDice(value, fitted.mean_absolute_error, value <= rule.below, rule.recall)
