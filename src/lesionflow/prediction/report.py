"""The report: what is said beside a mask, of each target, of the study, and of how far both may be relied on."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from lesionflow.inference import Segmentation, TargetFinding
from lesionflow.io.inputs import StudyInput
from lesionflow.prediction import DISCLAIMER
from lesionflow.prediction.models import ServedModel
from lesionflow.prediction.passport import Passport, make_passport


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class IntervalReport(_Part):
    """Where a volume lies with a stated probability, measured on the validation cases."""

    low_ml: float
    high_ml: float
    coverage: float


class PredictedDiceReport(_Part):
    """The Dice that a reference would give, and how far off such predictions were on average."""

    value: float
    mean_absolute_error: float


class LesionReport(_Part):
    """One lesion: `center_mm` is (x, y, z) in DICOM's patient coordinates; `confidence` the probability that it is one."""

    volume_ml: float
    center_mm: tuple[float, float, float]
    confidence: float


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


class Report(_Part):
    """What is said beside a mask."""

    case_id: str
    targets: tuple[TargetReport, ...]
    input_check: InputReport | None
    passport: Passport
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
) -> Report:
    """Say what was found in a study.

    Args:
        model: What segmented it.
        study: What was read; its volumes are not looked at.
        segmentation: What was found.
        timings_s: Seconds by part, so far.
        outside_body: What of the mask lies in air, in a sentence.

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
        predicted_dice={t.name: t.predicted_dice.value for t in targets if t.predicted_dice is not None},
        unusual_input=None if input_check is None else input_check.flagged,
    )
    timings = {name: round(seconds, 3) for name, seconds in timings_s.items()}
    return Report(
        case_id=study.case_id,
        targets=targets,
        input_check=input_check,
        passport=passport,
        timings_s={**timings, "total": round(sum(timings.values()), 3)},
        warnings=(*study.warnings, *_warnings(targets, input_check, outside_body)),
    )


def _target(finding: TargetFinding) -> TargetReport:
    interval, dice, mean = finding.interval, finding.predicted_dice, finding.mean_probability
    return TargetReport(
        name=finding.name,
        volume_ml=round(finding.volume_ml, 4),
        n_lesions=len(finding.lesions),
        mean_confidence=None if mean is None else round(mean, 4),
        volume_interval=None if interval is None else IntervalReport(**_rounded(vars(interval))),
        predicted_dice=None if dice is None else PredictedDiceReport(**_rounded(vars(dice))),
        lesions=tuple(
            LesionReport(
                volume_ml=round(lesion.volume_ml, 4),
                center_mm=(round(lesion.center_mm[0], 1), round(lesion.center_mm[1], 1), round(lesion.center_mm[2], 1)),
                confidence=round(lesion.confidence, 4),
            )
            for lesion in finding.lesions
        ),
    )


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in values.items()}


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
    if all(target.volume_ml == 0 for target in targets):
        warnings.append("No tumor was found.")
    return warnings
