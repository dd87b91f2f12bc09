"""The report: what is said beside a mask, of each target, of the study, and of how far both may be relied on."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from lesionflow.data.seal import SealState
from lesionflow.inference import FoundLesion, Segmentation, TargetFinding
from lesionflow.io.inputs import StudyInput
from lesionflow.prediction import DISCLAIMER
from lesionflow.prediction.mask_identity import MaskIdentity, identify
from lesionflow.prediction.passport import Passport, make_passport
from lesionflow.prediction.served_model import ServedModel

#: What of a report is not about what was found.
UNSAID = ("passport", "timings_s")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class IntervalReport(_Part):
    """Where a volume lies with a stated probability, measured on the validation patients.

    Of nine in ten models fitted on as many patients, it holds for between `coverage_low` and `coverage_high` of new patients; null where a bundle does not know.
    """

    low_ml: float
    high_ml: float
    coverage: float
    coverage_low: float | None
    coverage_high: float | None


class PredictedDiceReport(_Part):
    """The Dice that a reference would give, and how far off such predictions were on average.

    `needs_review`: so low that somebody should look; of failed masks the share `review_recall` is pointed at. Null where too few validation patients failed to
    say.
    """

    value: float
    mean_absolute_error: float
    needs_review: bool | None
    review_recall: float | None


class LesionReport(_Part):
    """One lesion: `center_mm` is (x, y, z) in DICOM's patient coordinates; `confidence` the probability that it is one.

    The diameters are those of RECIST 1.1: the longest one within a slice, and the longest at right angles to it in that slice. Null where nobody knows how large
    pixels are.
    """

    volume_ml: float
    center_mm: tuple[float, float, float]
    confidence: float
    longest_diameter_mm: float | None = None
    perpendicular_diameter_mm: float | None = None


class TargetReport(_Part):
    """What was found of one target.

    `mean_confidence`: mean probability inside its mask, null when it is empty. Null are also figures that the bundle can't
    give, as nothing was fitted on validation cases.
    """

    name: str
    volume_ml: float
    n_lesions: int
    mean_confidence: float | None
    volume_interval: IntervalReport | None
    predicted_dice: PredictedDiceReport | None
    lesions: tuple[LesionReport, ...]


class InputReport(_Part):
    """How unlike the training data the study is: 1 is the limit; `reasons` name what is beyond it, the oddest first."""

    score: float
    flagged: bool
    reasons: tuple[str, ...]


class SealReport(_Part):
    """Who vouches for the model: `state` is `trusted`, `signed` (by a key that is not trusted here) or `unsigned`."""

    state: SealState
    key_id: str


class Report(_Part):
    """What is said beside a mask."""

    case_id: str
    targets: tuple[TargetReport, ...]
    input_check: InputReport | None
    passport: Passport
    seal: SealReport
    timings_s: dict[str, float]
    warnings: tuple[str, ...]
    disclaimer: str = DISCLAIMER


def make_report(
    model: ServedModel,
    study: StudyInput,
    segmentation: Segmentation,
    timings_s: Mapping[str, float],
    *,
    outside_body: str = "",
    identity: MaskIdentity | None = None,
) -> Report:
    """Say what was found in a study.

    Args:
        model: What segmented it.
        study: What was read; its volumes are not looked at.
        segmentation: What was found.
        timings_s: Seconds by part, so far.
        outside_body: What of the mask lies in air, in a sentence.
        identity: The mask, told; worked out where it is not given.

    Returns:
        The report, its figures rounded; its timings end with their `total`.
    """
    targets = tuple(_target(finding) for finding in segmentation.findings)
    input_check = _input_check(segmentation)
    passport = make_passport(
        model.bundle,
        model_name=model.name,
        model_version=model.version,
        input_sha256=study.sha256,
        mask=identity or identify(segmentation.mask, model.bundle.plan.targets),
        predicted_dice={t.name: t.predicted_dice.value for t in targets if t.predicted_dice is not None},
        unusual_input=None if input_check is None else input_check.flagged,
    )
    timings = {name: round(seconds, 3) for name, seconds in timings_s.items()}
    report = Report(
        case_id=study.case_id,
        targets=targets,
        input_check=input_check,
        passport=passport,
        seal=SealReport(state=model.bundle.seal.state, key_id=model.bundle.seal.key_id),
        timings_s={**timings, "total": round(sum(timings.values()), 3)},
        warnings=(*study.warnings, *_warnings(targets, input_check, outside_body)),
    )
    return report.model_copy(update={"passport": passport.for_report(hash_report(report.model_dump(mode="json")))})


def hash_report(content: Mapping[str, Any]) -> str:
    """Hash what a report says, but for its passport and timings.

    Args:
        content: As JSON; what no report has is passed over.
    """
    told = {name: content[name] for name in Report.model_fields if name in content and name not in UNSAID}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _target(finding: TargetFinding) -> TargetReport:
    interval, dice, mean = finding.interval, finding.predicted_dice, finding.mean_probability
    return TargetReport(
        name=finding.name,
        volume_ml=round(finding.volume_ml, 4),
        n_lesions=len(finding.lesions),
        mean_confidence=None if mean is None else round(mean, 4),
        volume_interval=None if interval is None else IntervalReport(**_rounded(vars(interval))),
        predicted_dice=None if dice is None else PredictedDiceReport(**_rounded(vars(dice))),
        lesions=tuple(_lesion(lesion) for lesion in finding.lesions),
    )


def _lesion(lesion: FoundLesion) -> LesionReport:
    x, y, z = lesion.center_mm
    wide = lesion.diameters
    return LesionReport(
        volume_ml=round(lesion.volume_ml, 4),
        center_mm=(round(x, 1), round(y, 1), round(z, 1)),
        confidence=round(lesion.confidence, 4),
        longest_diameter_mm=None if wide is None else round(wide.longest_mm, 2),
        perpendicular_diameter_mm=None if wide is None else round(wide.perpendicular_mm, 2),
    )


def _rounded(values: Mapping[str, float | None]) -> dict[str, Any]:
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in values.items()}


def _input_check(segmentation: Segmentation) -> InputReport | None:
    found = segmentation.out_of_distribution
    return None if found is None else InputReport(**{**vars(found), "score": round(found.score, 3)})


def describe_unlike(reasons: tuple[str, ...]) -> str:
    """Say in a sentence that a study is unlike the training data."""
    return (
        f"The study is unlike those the model was trained on, by its {', '.join(reasons)}: do not rely on the mask, nor on "
        "how sure the model is of it."
    )


def _warnings(targets: tuple[TargetReport, ...], input_check: InputReport | None, outside_body: str) -> list[str]:
    warnings = []
    if input_check is not None and input_check.flagged:
        warnings.append(describe_unlike(input_check.reasons))
    if outside_body:
        warnings.append(outside_body)
    doubtful = [target.name for target in targets if target.predicted_dice and target.predicted_dice.needs_review]
    if doubtful:
        warnings.append(
            f"The mask of {', '.join(doubtful)} may have failed, by what the model says of it: look at it before use."
        )
    if all(target.volume_ml == 0 for target in targets):
        warnings.append("No tumor was found.")
    return warnings
