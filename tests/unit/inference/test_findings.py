import pytest

from lesionflow.inference.findings import describe
from lesionflow.inference.lesion_probabilities import LesionProbabilities, TargetProbabilities


def test_where_nothing_was_fitted_only_the_probability_is_told() -> None:
    lesion = LesionProbabilities(2.0, (1.0, 2.0, 3.0), 0.7)
    (finding,) = describe([TargetProbabilities("tumor", 2.0, 3.0, 1.4, (lesion,))], ())
    assert (finding.interval, finding.predicted_dice) == (None, None)
    assert finding.mean_probability == pytest.approx(0.7)
    assert finding.lesions[0].confidence == 0.7
