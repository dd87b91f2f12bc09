"""Score a model on whole volumes, in the studies' own space."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from lesionflow.data.bundle import Bundle
from lesionflow.data.case import Case
from lesionflow.data.plan import Plan
from lesionflow.data.volume import require_same_grid
from lesionflow.errors import ArtifactError, InputError
from lesionflow.inference import Segmentation, Segmenter
from lesionflow.metrics import score_pair

logger = logging.getLogger(__name__)

ReadCase = Callable[[str], Case]
OnCase = Callable[[Case, Segmentation, list[dict[str, Any]]], None]


def score_bundle(
    bundle: Bundle, read_case: ReadCase, case_ids: Sequence[str], *, device: str, on_case: OnCase | None = None
) -> pd.DataFrame:
    """Segment and score every case.

    Args:
        bundle: The model.
        read_case: Gives a case by its id.
        case_ids: Which; each must have a reference.
        device: `auto`, `cpu` or `cuda`.
        on_case: Called after each case with the case, what was found and its rows.

    Returns:
        One row a case and target: `case_id`, `patient_id`, `target`, every metric and count, `seconds`.

    Raises:
        ArtifactError: When a case can't be predicted or has no reference: a missing score is never passed over.
    """
    segmenter = Segmenter(bundle, device=device)
    rows: list[dict[str, Any]] = []
    for number, case_id in enumerate(case_ids, start=1):
        case = read_case(case_id)
        try:
            found = segmenter.segment(case.volume, case_id=case_id)
        except InputError as error:
            raise ArtifactError(
                f"Expected a prediction for every case to score, found none for {case_id} ({error.reason}): {error}"
            ) from error
        case_rows = score_case(case, found, bundle.plan)
        rows += case_rows
        dice = ", ".join(f"{row['target']} {row['dice']:.3f}" for row in case_rows)
        logger.info("Case %s (%d of %d): Dice %s", case_id, number, len(case_ids), dice)
        if on_case is not None:
            on_case(case, found, case_rows)
    return pd.DataFrame(rows)


def score_case(case: Case, found: Segmentation, plan: Plan) -> list[dict[str, Any]]:
    """Score one segmented case: a row a target.

    Raises:
        ArtifactError: When the case has no reference.
        GeometryMismatchError: When mask and reference do not lie on one grid.
    """
    reference = case.reference_mask
    if reference is None:
        raise ArtifactError(f"Expected a reference mask for case {case.case_id}, found none.")
    require_same_grid(reference.geometry, found.mask.geometry, f"Reference and prediction of case {case.case_id}")
    seconds = round(sum(found.timings_s.values()), 4)
    return [
        {
            "case_id": case.case_id,
            "patient_id": case.patient_id,
            "target": target.name,
            **score_pair(
                reference.region(target.labels), found.mask.region(target.labels), reference.geometry.spacing_mm
            ),
            "seconds": seconds,
        }
        for target in plan.targets
    ]
