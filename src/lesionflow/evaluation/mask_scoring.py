"""Score a mask that has no probabilities and no model behind it, as whole volumes of our own models are scored."""

from collections.abc import Sequence

import pandas as pd

from lesionflow.data.case import Case
from lesionflow.data.dataset import Target
from lesionflow.data.volume import Mask, require_same_grid
from lesionflow.errors import ArtifactError
from lesionflow.evaluation.reliability import SAID
from lesionflow.evaluation.scoring import BIN_COLUMNS, DETECTION_COLUMNS, LESION_COLUMNS, CaseScores, Scores
from lesionflow.metrics import score_masks

NOTHING = float("nan")


def score_mask(case: Case, mask: Mask, targets: Sequence[Target]) -> CaseScores:
    """Score one mask: a row a target and a lesion; what a model would say of itself is NaN.

    Raises:
        ArtifactError: When the case has no reference.
        GeometryMismatchError: When mask and reference do not lie on one grid.
    """
    reference = case.reference_mask
    if reference is None:
        raise ArtifactError(f"Expected a reference mask for case {case.case_id}, found none.")
    require_same_grid(reference.geometry, mask.geometry, f"Reference and mask of case {case.case_id}")
    scored = CaseScores([], [], [], [])
    for target in targets:
        about = {"case_id": case.case_id, "patient_id": case.patient_id, "target": target.name}
        truth, found = reference.region(target.labels), mask.region(target.labels)
        scores = score_masks(truth, found, reference.geometry.spacing_mm, ignored=reference.ignored)
        scored.rows.append({**about, **scores.figures, **dict.fromkeys(SAID, NOTHING), "seconds": NOTHING})
        scored.lesions.extend({**about, **lesion._asdict()} for lesion in scores.lesions)
    return scored


def tables_of(scored: Sequence[CaseScores]) -> Scores:
    """Put cases together; nothing is known by probability, so that detections and bins are empty."""
    return Scores(
        pd.DataFrame([row for one in scored for row in one.rows]),
        pd.DataFrame([row for one in scored for row in one.lesions], columns=LESION_COLUMNS),
        pd.DataFrame(columns=DETECTION_COLUMNS),
        pd.DataFrame(columns=BIN_COLUMNS),
    )
