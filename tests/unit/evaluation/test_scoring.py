"""Scores of a network that calls every voxel tumor, or none: each figure by hand."""

import numpy as np
import pytest

from lesionflow.data.case import Case
from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask, Volume
from lesionflow.errors import ArtifactError
from lesionflow.evaluation.reliability import SAID
from lesionflow.evaluation.scoring import DETECTION_COLUMNS, LESION_COLUMNS, score_bundle
from support.bundles import constant_bundle

SHAPE = (3, 16, 24)
GRID = Geometry.from_parts(SHAPE, (3.0, 0.8, 0.5))
N_VOXELS, N_TUMOR = 3 * 16 * 24, 2 * 5 * 7


def case(case_id, *, outlined=True, channels=1):
    labels = np.zeros(SHAPE, np.uint8)
    labels[:2, 3:8, 4:11] = 1
    image = np.random.default_rng(3).normal(50, 20, (channels, *SHAPE))
    reference = Mask(labels, GRID) if outlined else None
    return Case(case_id, f"p-{case_id}", tuple("CT" for _ in range(channels)), Volume(image, GRID), reference)


def test_a_mask_of_everything_has_the_dice_of_two_volumes():
    seen = []
    scores = score_bundle(
        constant_bundle(9.0), case, ["c-2", "c-1"], device="cpu", on_case=lambda c, found, rows: seen.append((c.case_id, rows[0]["dice"]))
    )  # fmt: skip
    assert list(scores.cases["case_id"]) == ["c-2", "c-1"]
    assert list(scores.cases["patient_id"]) == ["p-c-2", "p-c-1"]
    row = scores.cases.iloc[0]
    assert row["dice"] == pytest.approx(2 * N_TUMOR / (N_TUMOR + N_VOXELS))
    assert (row["tp"], row["fp"], row["fn"], row["tn"]) == (N_TUMOR, N_VOXELS - N_TUMOR, 0, 0)
    assert row["reference_ml"] == pytest.approx(N_TUMOR * 3.0 * 0.8 * 0.5 / 1000)
    assert row["predicted_ml"] == pytest.approx(N_VOXELS * 3.0 * 0.8 * 0.5 / 1000)
    assert row["seconds"] > 0
    assert np.isnan([row[name] for name in SAID]).all(), "this bundle can say nothing of itself"
    assert seen == [("c-2", row["dice"]), ("c-1", row["dice"])]


def test_lesions_of_both_masks_are_listed_and_found_at_every_threshold_below_the_probability():
    scores = score_bundle(constant_bundle(0.0), case, ["c-1"], device="cpu")
    assert tuple(scores.lesions) == LESION_COLUMNS
    assert tuple(scores.detections) == DETECTION_COLUMNS
    assert list(scores.lesions["kind"]) == ["reference", "predicted"] or set(scores.lesions["kind"]) == {"reference"}
    found = scores.detections.set_index("threshold")
    assert (found["n_lesions"] == 1).all()
    # All voxels have probability 0.5: one component that touches the lesion below it, nothing above it.
    assert (found.loc[found.index < 0.5, "n_found"] == 1).all()
    assert (found.loc[found.index > 0.5, "n_found"] == 0).all()
    assert (found["n_false_alarms"] == 0).all()


def test_every_voxel_stands_in_one_bin_of_its_probability():
    bins = score_bundle(constant_bundle(2.0), case, ["c-1"], device="cpu").bins
    assert bins["n"].sum() == N_VOXELS
    assert bins["n_true"].sum() == N_TUMOR
    assert bins["sum_probability"].sum() == pytest.approx(N_VOXELS / (1 + np.exp(-2.0)), rel=2e-3)
    assert (bins["n"] > 0).sum() == 1


def test_a_case_that_can_not_be_scored_is_never_passed_over():
    with pytest.raises(ArtifactError, match="reference mask for case c-1"):
        score_bundle(constant_bundle(0.0), lambda name: case(name, outlined=False), ["c-1"], device="cpu")
    with pytest.raises(ArtifactError, match="none for c-1"):
        score_bundle(constant_bundle(0.0), lambda name: case(name, channels=2), ["c-1"], device="cpu")


def test_what_is_not_known_is_not_asked_about():
    """All is found: of the known voxels the tumor's are right, and the others false alarms."""

    def partly(case_id):
        known = case(case_id)
        labels = known.reference_mask.labels.copy()
        labels[2], labels[:, :, 20:] = 255, 255
        return Case(case_id, "p-1", ("CT",), known.volume, Mask(labels, GRID))

    n_known = 2 * 16 * 20
    scores = score_bundle(constant_bundle(2.0), partly, ["c-1"], device="cpu")
    row = scores.cases.iloc[0]
    assert (row["tp"], row["fp"], row["fn"], row["tn"]) == (N_TUMOR, n_known - N_TUMOR, 0, 0)
    assert (scores.bins["n"].sum(), scores.bins["n_true"].sum()) == (n_known, N_TUMOR)
    assert (scores.detections["n_false_alarms"] == 0).all()
