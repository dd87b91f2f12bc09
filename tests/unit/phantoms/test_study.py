"""Studies as values: volumes, anatomy, uptake; and that no threshold finds the tumors."""

import numpy as np
import pytest
from numpy.typing import NDArray

from lesionflow.phantoms import PhantomStudy, make_study

SEED = 7
#: Voxels of 5 x 3 x 3 mm against the exact volume: a tumor of 2 ml has fewer than fifty of them.
VOXEL_VOLUME_TOLERANCE = 0.12


@pytest.fixture(scope="module")
def studies() -> list[PhantomStudy]:
    return [make_study(SEED, index, "ct") for index in range(12)]


def test_tumors_are_of_2_to_200_ml_and_whole_in_the_image(studies: list[PhantomStudy]) -> None:
    volumes = [t.body.volume_ml() for s in studies for t in s.tumors]
    assert len(volumes) >= 11
    assert all(1.999 <= v <= 200.001 for v in volumes)
    assert max(volumes) / min(volumes) > 4
    for study in studies:
        counted = np.count_nonzero(study.truth.labels) * study.truth.geometry.voxel_volume_ml
        assert counted == pytest.approx(study.label_ml["tumor"], rel=VOXEL_VOLUME_TOLERANCE, abs=1e-9)


def best_dice(scores: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """Best Dice over all thresholds `score > t`, exact by sorting."""
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(truth[order])
    return float((2 * hits / (np.arange(1, len(hits) + 1) + truth.sum())).max())


def test_no_threshold_finds_the_tumors(studies: list[PhantomStudy]) -> None:
    scores = []
    for study in studies:
        if not study.tumors:
            continue
        hu, truth = study.channels["CT"].array[0].ravel().astype(float), study.truth.labels.ravel() > 0
        # Best threshold of this very patient from above and from below, and distance from the tumor's own mean HU.
        near = -np.abs(hu - hu[truth].mean())
        scores.append(max(best_dice(hu, truth), best_dice(-hu, truth), best_dice(near, truth)))
    assert np.mean(scores) < 0.25


def test_adding_pet_leaves_the_ct_as_it_is() -> None:
    alone, together = make_study(SEED, 2, "ct"), make_study(SEED, 2, "petct")
    np.testing.assert_array_equal(alone.channels["CT"].array, together.channels["CT"].array)
    np.testing.assert_array_equal(alone.truth.labels, together.truth.labels)
