import numpy as np
import pytest
from numpy.typing import NDArray

from lesionflow.phantoms import PhantomStudy, make_study

SEED = 7


@pytest.fixture(scope="module")
def studies() -> list[PhantomStudy]:
    return [make_study(SEED, index, "ct") for index in range(12)]


def test_tissues_have_their_hu(studies: list[PhantomStudy]) -> None:
    for study in studies[:4]:
        hu = study.channels["CT"].array[0]
        # The histogram of a torso: air, lung, fat, soft tissue and bone are all there.
        for low, high, least in ((-1024, -950, 0.2), (-900, -750, 0.01), (-130, -80, 0.03), (20, 140, 0.05)):
            assert np.mean((hu >= low) & (hu <= high)) > least, (study.patient.patient_id, low)
        assert np.mean(hu > 300) > 0.002


def best_dice(scores: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """Best Dice over all thresholds `score > t`, exact by sorting."""
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(truth[order])
    return float((2 * hits / (np.arange(1, len(hits) + 1) + truth.sum())).max())


def test_healthy_organs_take_up_as_much_as_tumors() -> None:
    scores = []
    for index in range(3):
        study = make_study(SEED, index, "petct")
        (tumors,) = (study.truth.labels > 0,)
        if not tumors.any():
            continue
        grid, pet = study.truth.geometry, study.channels["PET"]
        index_of = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), axis=-1)
        nearest = np.rint(pet.geometry.to_index(grid.to_lps(index_of))).astype(int)
        suv = pet.array[0][tuple(np.clip(nearest[..., i], 0, pet.geometry.shape[i] - 1) for i in range(3))]
        scores.append(best_dice(suv.ravel().astype(float), tumors.ravel()))
    assert np.mean(scores) < 0.75
