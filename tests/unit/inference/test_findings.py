import pytest

from lesionflow.data.calibration import DicePrediction, ReviewRule, TargetConfidence, VolumeInterval
from lesionflow.inference.findings import describe
from lesionflow.inference.lesion_probabilities import LesionProbabilities, TargetProbabilities


def test_where_nothing_was_fitted_only_the_probability_is_told() -> None:
    lesion = LesionProbabilities(2.0, (1.0, 2.0, 3.0), 0.7)
    (finding,) = describe([TargetProbabilities("tumor", 2.0, 3.0, 1.4, (lesion,))], ())
    assert (finding.interval, finding.predicted_dice) == (None, None)
    assert finding.mean_probability == pytest.approx(0.7)
    assert finding.lesions[0].confidence == 0.7


RULE = ReviewRule(
    failed_dice=0.6, below=0.5, recall=0.75, recall_low=0.37, recall_high=0.98, precision=0.6, flagged_fraction=0.2, auroc=0.9,
    auroc_low=0.7, auroc_high=0.97, n_failed=3, n_patients=12,
)  # fmt: skip
DICE = DicePrediction(
    intercept=0.1,
    slope=0.0,
    when_empty=0.4,
    mean_absolute_error=0.07,
    n_cases=12,
    weights={"certainty": 0.5, "stability": 0.25},
    review=RULE,
)


def _found(volume_ml: float, inside_ml: float, sure_ml: float = 0.0) -> TargetProbabilities:
    return TargetProbabilities("tumor", volume_ml, volume_ml, inside_ml, (), 10.0, sure_ml)


@pytest.mark.parametrize(
    ("found", "value", "review"),
    [
        (_found(10.0, 7.0, 5.0), 0.1 + 0.5 * 0.7 + 0.25 * 2 / 3, False),
        (_found(10.0, 7.0), 0.45, True),
        (_found(10.0, 8.0), 0.5, True),  # the limit belongs to what is looked at
        (_found(0.0, 0.0), 0.4, True),
    ],
)
def test_a_mask_predicted_below_the_limit_needs_review(found, value, review) -> None:
    known = TargetConfidence(name="tumor", volume=None, dice=DICE, lesions=None)
    said = describe([found], [known])[0].predicted_dice
    assert said.value == pytest.approx(value)
    assert (said.needs_review, said.review_recall, said.mean_absolute_error) == (review, 0.75, 0.07)


def test_what_older_bundles_do_not_know_is_not_said() -> None:
    """Figures as bundles of 0.2 have them: the line of the expected Dice, no band, no review."""
    volume = VolumeInterval.model_validate({"coverage": 0.9, "log_ratio": 0.5, "offset_ml": 1.0, "n_cases": 9})
    dice = {"intercept": 0.1, "slope": 0.9, "when_empty": 0.6, "mean_absolute_error": 0.07, "n_cases": 9}
    known = TargetConfidence(name="tumor", volume=volume, dice=DicePrediction.model_validate(dice), lesions=None)
    (said,) = describe([_found(10.0, 7.0)], [known])
    assert said.predicted_dice.value == pytest.approx(0.1 + 0.9 * 2 * 7 / 20)
    assert (said.predicted_dice.needs_review, said.predicted_dice.review_recall) == (None, None)
    assert (said.interval.coverage, said.interval.coverage_low) == (0.9, None)
    assert describe([_found(0.0, 0.0)], [known])[0].predicted_dice.value == 0.6
    assert describe([_found(0.0, 0.0, sure_ml=0.5)], [known])[0].predicted_dice.value == 0.6
