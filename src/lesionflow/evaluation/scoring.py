"""Score a model on whole volumes, in the studies' own space."""

import logging
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lesionflow.data.bundle import Bundle
from lesionflow.data.case import Case
from lesionflow.data.volume import require_same_grid
from lesionflow.errors import ArtifactError, InputError
from lesionflow.evaluation.reliability import SAID, BinCounts, count_bins
from lesionflow.inference import Segmentation, Segmenter
from lesionflow.metrics import score_masks
from lesionflow.metrics.detection import detect_lesions

logger = logging.getLogger(__name__)

#: Columns of the table of lesions and of the table of detections.
LESION_COLUMNS = ("case_id", "patient_id", "target", "kind", "volume_ml", "matched", "dice")
DETECTION_COLUMNS = ("case_id", "patient_id", "target", "threshold", "n_lesions", "n_found", "n_false_alarms")
BIN_COLUMNS = ("case_id", "patient_id", "target", *BinCounts._fields)


class CaseScores(NamedTuple):
    """One case's rows of the four tables of `Scores`."""

    rows: list[dict[str, Any]]
    lesions: list[dict[str, Any]]
    detections: list[dict[str, Any]]
    bins: list[dict[str, Any]]


class Scores(NamedTuple):
    """What was scored.

    `cases`: a row a case and target: `case_id`, `patient_id`, `target`, every metric and count, what the model itself
    said (`SAID`), `seconds`. `lesions`: a row a lesion of reference or prediction (`LESION_COLUMNS`). `detections`: a row a
    case, target and threshold (`DETECTION_COLUMNS`). `bins`: a row a case, target and bin of probability (`BIN_COLUMNS`).
    """

    cases: pd.DataFrame
    lesions: pd.DataFrame
    detections: pd.DataFrame
    bins: pd.DataFrame


ReadCase = Callable[[str], Case]
OnCase = Callable[[Case, Segmentation, list[dict[str, Any]]], None]


def score_bundle(
    bundle: Bundle, read_case: ReadCase, case_ids: Sequence[str], *, device: str, on_case: OnCase | None = None
) -> Scores:
    """Segment and score every case.

    Args:
        bundle: The model.
        read_case: Gives a case by its id.
        case_ids: Which; each must have a reference.
        device: `auto`, `cpu` or `cuda`.
        on_case: Called after each case with the case, what was found and its rows.

    Returns:
        The tables, cases in the given order.

    Raises:
        ArtifactError: When a case can't be predicted or has no reference: a missing score is never passed over.
    """
    segmenter = Segmenter(bundle, device=device)
    scored: list[CaseScores] = []
    for number, case_id in enumerate(case_ids, start=1):
        case = read_case(case_id)
        try:
            found = segmenter.segment(case.volume, case_id=case_id)
        except InputError as error:
            raise ArtifactError(
                f"Expected a prediction for every case to score, found none for {case_id} ({error.reason}): {error}"
            ) from error
        scored.append(score_case(case, found, bundle))
        dice = ", ".join(f"{row['target']} {row['dice']:.3f}" for row in scored[-1].rows)
        logger.info("Case %s (%d of %d): Dice %s", case_id, number, len(case_ids), dice)
        if on_case is not None:
            on_case(case, found, scored[-1].rows)
    return Scores(
        pd.DataFrame([row for one in scored for row in one.rows]),
        pd.DataFrame([row for one in scored for row in one.lesions], columns=LESION_COLUMNS),
        pd.DataFrame([row for one in scored for row in one.detections], columns=DETECTION_COLUMNS),
        pd.DataFrame([row for one in scored for row in one.bins], columns=BIN_COLUMNS),
    )


def score_case(case: Case, found: Segmentation, bundle: Bundle) -> CaseScores:
    """Score one segmented case: a row a target, a lesion, a threshold.

    Raises:
        ArtifactError: When the case has no reference.
        GeometryMismatchError: When mask and reference do not lie on one grid.
    """
    reference = case.reference_mask
    if reference is None:
        raise ArtifactError(f"Expected a reference mask for case {case.case_id}, found none.")
    require_same_grid(reference.geometry, found.mask.geometry, f"Reference and prediction of case {case.case_id}")
    seconds = round(sum(found.timings_s.values()), 4)
    min_voxels = int(np.ceil(bundle.rules.min_lesion_ml / reference.geometry.voxel_volume_ml))
    probabilities = found.probabilities
    scored, ignored = CaseScores([], [], [], []), reference.ignored
    if ignored is not None:
        # Neither found nor missed nor a false alarm, nor asked about, whatever the model says there.
        probabilities = np.where(ignored, np.float32(0.0), probabilities)
    for number, target in enumerate(bundle.plan.targets):
        about = {"case_id": case.case_id, "patient_id": case.patient_id, "target": target.name}
        truth = reference.region(target.labels)
        scores = score_masks(truth, found.mask.region(target.labels), reference.geometry.spacing_mm, ignored=ignored)
        scored.rows.append(
            {**about, **scores.figures, **_said(found, number, whole=ignored is None), "seconds": seconds}
        )
        scored.lesions.extend({**about, **lesion._asdict()} for lesion in scores.lesions)
        found_at = detect_lesions(truth, probabilities[number], min_voxels=min_voxels)
        scored.detections.extend({**about, **one._asdict()} for one in found_at)
        scored.bins.extend({**about, **one._asdict()} for one in count_bins(probabilities[number], truth))
    return scored


def _said(found: Segmentation, number: int, *, whole: bool) -> dict[str, float]:
    """Return what the model said of one target of a case, by `SAID`; NaN for what its bundle can't say.

    Of a case that is not known as a whole, nobody can tell whether what it said of the whole was true.
    """
    finding = found.findings[number]
    interval, dice, nothing = finding.interval, finding.predicted_dice, float("nan")
    interval, dice = (interval, dice) if whole else (None, None)
    told = (
        (interval.coverage_low, interval.coverage_high) if interval else (None, None),
        (dice.needs_review, dice.review_recall) if dice else (None, None),
    )
    said = (
        dice.value if dice else nothing,
        interval.coverage if interval else nothing,
        interval.low_ml if interval else nothing,
        interval.high_ml if interval else nothing,
        found.out_of_distribution.score if found.out_of_distribution else nothing,
        *(nothing if value is None else float(value) for pair in told for value in pair),
    )
    return dict(zip(SAID, said, strict=True))
