"""What was fitted on the validation cases after training, with its figures: part of the bundle, never of the params."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from lesionflow.data.plan import InferencePlan


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MaskRules(_Frozen):
    """How calibrated probabilities become a mask.

    Args:
        probability_threshold: From which probability on a voxel belongs.
        min_lesion_ml: Smaller lesions are removed.
        fill_holes: Whether enclosed holes are filled.
        smoothing_mm: Standard deviation of the Gaussian that smooths a mask's surface; 0 leaves it.
        largest_only: Whether only the largest lesion of a target is kept; no longer fitted, kept where it was.
        surest_only: Whether only the lesion of a target with most volume above a probability of 0.7 is kept; of equal ones the larger.
        inside_body: Whether voxels outside the body are removed.
    """

    probability_threshold: float
    min_lesion_ml: float
    fill_holes: bool
    smoothing_mm: float = 0.0
    largest_only: bool = False
    surest_only: bool = False
    inside_body: bool = False

    @classmethod
    def of_plan(cls, plan: InferencePlan) -> "MaskRules":
        """Return the rules that params ask for, which stand where nothing was fitted."""
        return cls.model_validate(plan.model_dump(include=set(cls.model_fields) & set(InferencePlan.model_fields)))


class RuleTrial(_Frozen):
    """One rule tried on the validation cases: what mean Dice it gave instead of which, and whether it was kept."""

    rule: str
    value: float | bool
    dice_before: float
    dice_after: float
    n_better: int
    n_worse: int
    kept: bool


class VolumeInterval(_Frozen):
    """A conformal interval of volumes: with `coverage`, |ln((true + offset) / (predicted + offset))| <= `log_ratio`.

    `coverage` is the share promised over calibration patients drawn anew; with n patients no more than n / (n + 1) can be. Of nine in
    ten such draws it lies between `coverage_low` and `coverage_high`: with few patients, far apart. Bundles made before 0.3 took each case for
    a patient, and do not tell them.

    Examples:
        Off by a factor of 2 at most, once 1 ml is added: 9 ml lie within (9 + 1) / 2 - 1 = 4 and (9 + 1) x 2 - 1 = 19 ml.

        >>> interval = VolumeInterval(coverage=0.9, log_ratio=0.6931471805599453, offset_ml=1.0, n_cases=19)
        >>> [round(ml, 6) for ml in interval.around(9.0)]
        [4.0, 19.0]
        >>> [round(ml, 6) for ml in interval.around(0.0)]
        [0.0, 1.0]
    """

    coverage: float
    log_ratio: float
    offset_ml: float
    n_cases: int
    n_patients: int | None = None
    coverage_low: float | None = None
    coverage_high: float | None = None

    def around(self, volume_ml: float) -> tuple[float, float]:
        """Return the interval of a predicted volume, in ml."""
        factor = 2.718281828459045**self.log_ratio
        low = (volume_ml + self.offset_ml) / factor - self.offset_ml
        return max(low, 0.0), (volume_ml + self.offset_ml) * factor - self.offset_ml


class ReviewRule(_Frozen):
    """Which masks somebody should look at: those whose predicted Dice is below `below`.

    Figures are of validation patients, each predicted by the others; a patient fails who has a study with a Dice below `failed_dice`.

    Args:
        failed_dice: Below it a mask has failed.
        below: The limit; null where fewer than two patients failed, so that nothing can be said of failures.
        recall: Share of failing studies of new patients that are pointed at, on average over bundles; k failing patients can
            promise no more than k / (k + 1).
        recall_low: Of nine in ten bundles, with `recall_high`, the recall lies between.
        recall_high: See `recall_low`.
        precision: Share of the validation cases pointed at that had failed; null where none is.
        flagged_fraction: Share of the validation cases that is pointed at.
        auroc: Of pairs of a failed and a good patient, the share in which the failed one has the lower predicted Dice; null without both.
        auroc_low: With `auroc_high`, its 95 % interval.
        auroc_high: See `auroc_low`.
        n_failed: Patients who failed.
        n_patients: All of them.
    """

    failed_dice: float
    below: float | None
    recall: float | None
    recall_low: float | None
    recall_high: float | None
    precision: float | None
    flagged_fraction: float
    auroc: float | None
    auroc_low: float | None
    auroc_high: float | None
    n_failed: int
    n_patients: int


class DicePrediction(_Frozen):
    """Predicted Dice = intercept + slope x expected Dice + sum of weight x sign, held within 0..1.

    `weights`: of the signs of `TargetProbabilities` by name, none in bundles made before 0.3. An empty mask has either 1 or 0: `when_empty` is the mean
    of such; `when_removed` that of those in which the network found something possible of which threshold and rules left nothing (none in bundles made before
    0.4: then `when_empty` is of both). `mean_absolute_error` is that of validation patients left out of the fit one by one, patients weighing alike.
    """

    intercept: float
    slope: float
    when_empty: float
    mean_absolute_error: float
    n_cases: int
    weights: dict[str, float] = {}
    review: ReviewRule | None = None
    when_removed: float | None = None


class LesionConfidence(_Frozen):
    """P(a found lesion is real) = logistic(intercept + slope x logit(its mean probability)).

    `brier` is the mean squared error of lesions of left-out patients; `brier_before` that of the mean probability itself.
    """

    intercept: float
    slope: float
    brier: float
    brier_before: float
    n_lesions: int
    n_real: int


class TargetConfidence(_Frozen):
    """What is known of one target's figures; null where validation gave too little to fit."""

    name: str
    volume: VolumeInterval | None
    dice: DicePrediction | None
    lesions: LesionConfidence | None


class FeatureGroup(_Frozen):
    """Features of one kind: their spread over the training cases, the cases themselves, and how far one usually lies from others."""

    name: Literal["intensity", "texture", "layout", "size"]
    spreads: tuple[float, ...]
    cases: tuple[tuple[float, ...], ...]
    usual_distance: float


class InputProfile(_Frozen):
    """What training inputs look like. `limit`: an input whose oddity is beyond it is flagged.

    `false_alarm_fraction`: share of studies of new patients like the training data's that it flags at most, on average over profiles of as many
    patients; of a profile, with 95 % certainty, `false_alarm_high`. `patients`: whose each row of the groups' cases is, by number; null in
    bundles made before 0.3, which took each case for a patient and claimed the share of training cases beyond the limit.
    """

    groups: tuple[FeatureGroup, ...]
    limit: float
    false_alarm_fraction: float
    n_cases: int
    patients: tuple[int, ...] | None = None
    false_alarm_high: float | None = None


class BackendChoice(_Frozen):
    """What runs the network on a CPU, and how the other backend compared with PyTorch on validation cases.

    It holds times, so it is no part of the calibration, which the same data and params give again bit for bit.

    Args:
        name: The one to use.
        compared: The other one, with its version.
        n_cases: Cases that both segmented.
        equal_fraction: Share of voxels with the same label, in the case where it is least.
        dice: Between both masks, of the case and target where it is least.
        seconds: From study to mask, by the other one, all cases.
        seconds_pytorch: The same by PyTorch.
    """

    name: Literal["pytorch", "openvino"]
    compared: str
    n_cases: int
    equal_fraction: float
    dice: float
    seconds: float
    seconds_pytorch: float


class Calibration(_Frozen):
    """All that was fitted. `ece_before` and `ece_after` are of voxels where the question is open, on the same cases.

    `dice_after` is that of the cases which chose the rules, `dice_cross_fitted` of patients who did not: each was left out of the choice.
    `n_patients`: whose the cases are. Both are null in bundles made before 0.3, where what is said of targets was measured under the rules that
    the same cases had chosen.
    """

    format: Literal[1] = 1
    cases: tuple[str, ...]
    temperature: float
    ece_before: float
    ece_after: float
    rules: MaskRules
    dice_before: float
    dice_after: float
    trials: tuple[RuleTrial, ...]
    targets: tuple[TargetConfidence, ...]
    profile: InputProfile | None
    n_patients: int | None = None
    dice_cross_fitted: float | None = None
