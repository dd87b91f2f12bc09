"""From a study to its mask and report: what `lesionflow predict` and the service both call. Not one of the nine steps.

The model's plan decides everything; params.yaml is not read here.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from lesionflow.data.bundle import Bundle
from lesionflow.data.volume import Volume
from lesionflow.errors import ConfigError, InputError
from lesionflow.inference import Segmentation, Segmenter, TargetFinding
from lesionflow.io.dicom.seg import write_seg
from lesionflow.io.files import replacing_file, write_text
from lesionflow.io.images.nifti import write_mask
from lesionflow.io.inputs import StudyInput, read_input, unpacked
from lesionflow.io.stores.bundles import read_bundle
from lesionflow.prediction.passport import Passport, make_passport
from lesionflow.preprocessing import align_channels

OutputFormat = Literal["nifti", "dicom-seg", "png"]
DISCLAIMER = "Research use only. Not a medical device: not for diagnosis or treatment."


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


@dataclass(frozen=True, eq=False)
class ServedModel:
    """A bundle and what it is called in the registry."""

    name: str
    version: str
    bundle: Bundle

    def describe(self) -> dict[str, Any]:
        """Return what a client may know of the model, as plain values."""
        plan, card = self.bundle.plan, self.bundle.card
        return {
            "model_name": self.name,
            "model_version": self.version,
            "bundle_digest": self.bundle.digest,
            "channels": dict(plan.dataset.channels),
            "targets": [target.name for target in plan.targets],
            "dataset": plan.dataset.name,
            "architecture": plan.architecture.name,
            "n_trained_cases": len(card.trained_cases),
            "validation_dice": card.validation_dice,
            **card.model_dump(
                include={"run_id", "plan_sha256", "code_revision", "data_revision", "lesionflow_version"}
            ),
            "disclaimer": DISCLAIMER,
        }


@dataclass(eq=False)
class Prediction:
    """A segmented study, ready to be written in any format."""

    model: ServedModel
    study: StudyInput
    volume: Volume
    segmentation: Segmentation
    timings_s: dict[str, float] = field(default_factory=dict)

    def write(self, output: Path, output_format: str) -> None:
        """Write the mask, whole or not at all.

        Args:
            output: The file.
            output_format: `nifti`, `dicom-seg` or `png`.

        Raises:
            InputError: `source_is_not_dicom` when a DICOM SEG is asked for a study that is none.
            ConfigError: When the format is unknown.
        """
        if output_format not in WRITERS:
            raise ConfigError(f"Expected one of the formats {', '.join(WRITERS)}, found {output_format!r}.")
        began = time.perf_counter()
        WRITERS[output_format](output, self)
        self.timings_s[f"write_{output_format.replace('-', '_')}"] = time.perf_counter() - began

    def report(self) -> Report:
        """Return the report, with all timings so far."""
        targets = tuple(_target(finding) for finding in self.segmentation.findings)
        warnings = list(self.study.warnings)
        out_of_distribution = self.segmentation.out_of_distribution
        if out_of_distribution is not None and out_of_distribution.flagged:
            warnings.append(
                f"The study is unlike those the model was trained on, by its {', '.join(out_of_distribution.reasons)}: do not rely on "
                "the mask, nor on how sure the model is of it."
            )
        if all(target.volume_ml == 0 for target in targets):
            warnings.append("No tumor was found.")
        passport = make_passport(
            self.model.bundle,
            model_name=self.model.name,
            model_version=self.model.version,
            input_sha256=self.study.sha256,
            predicted_dice={t.name: t.predicted_dice.value for t in targets if t.predicted_dice is not None},
            unusual_input=None if out_of_distribution is None else out_of_distribution.flagged,
        )
        timings = {name: round(seconds, 3) for name, seconds in self.timings_s.items()}
        return Report(
            case_id=self.study.case_id,
            targets=targets,
            input_check=None
            if out_of_distribution is None
            else InputReport(**{**vars(out_of_distribution), "score": round(out_of_distribution.score, 3)}),
            passport=passport,
            timings_s={**timings, "total": round(sum(timings.values()), 3)},
            warnings=tuple(warnings),
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


def load_model(model: str, model_name: str | None, tracking_uri: str) -> ServedModel:
    """Load a model by whatever it is called.

    Args:
        model: `champion`, `challenger`, `previous`, a version number, or the folder of a bundle.
        model_name: The registered model; not needed with the folder of a bundle.
        tracking_uri: MLflow's.

    Returns:
        The model; its version is the registry's number, or `bundle-<digest>` for a bundle that came from a folder.

    Raises:
        ConfigError: When an alias or number is given without the model's name.
        ArtifactError: When there is no such model or it is not whole.
        ServiceError: When the registry can't be reached.
    """
    if Path(model).is_dir():
        bundle = read_bundle(Path(model))
        return ServedModel(model_name or bundle.plan.dataset.name, f"bundle-{bundle.digest:.12}", bundle)
    if not model_name:
        message = (
            f"Expected the name of the registered model whose {model!r} is meant, or the folder of a bundle, found "
        )
        raise ConfigError(message + "neither. Set LESIONFLOW_MODEL_NAME or name a folder.")
    # mlflow takes six seconds; a bundle from a folder needs none of it.
    from lesionflow.registry.models import fetch_bundle, require_version

    # The alias may move between two calls; the number does not.
    version = require_version(model_name, model, tracking_uri).version
    return ServedModel(model_name, version, fetch_bundle(model_name, version, tracking_uri))


def segment_study(
    model: ServedModel,
    segmenter: Segmenter,
    source: Path | Mapping[str, Path],
    progress: Callable[[int, int], None] | None = None,
) -> Prediction:
    """Read a study and segment it.

    Args:
        model: The model that `segmenter` was made of.
        segmenter: Ready to run.
        source: The folder of a DICOM study, a NIfTI file for a model of one channel, or a NIfTI file by channel.
        progress: Called with parts done and parts in all.

    Returns:
        The segmented study, on the grid of its first channel.

    Raises:
        InputError: When the study can't be read right.
    """
    began = time.perf_counter()
    dataset = model.bundle.plan.dataset
    study = read_input(source, dataset)
    channels = tuple(dataset.channels)
    volume = align_channels(study.volumes, channels, channels[0], case_id=study.case_id)
    # Each channel on its own grid is needed no more.
    study = replace(study, volumes={})
    read = time.perf_counter() - began
    segmentation = segmenter.segment(volume, case_id=study.case_id, progress=progress)
    return Prediction(model, study, volume, segmentation, {"read": read, **segmentation.timings_s})


def predict_study(
    model: ServedModel,
    segmenter: Segmenter,
    source: Path | Mapping[str, Path],
    output: Path,
    *,
    output_format: OutputFormat,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Segment a study, write its mask to `output` and its report beside it, to `<output>.json`.

    Args:
        model: The model that `segmenter` was made of.
        segmenter: Ready to run.
        source: As `segment_study`, or a zip with one DICOM study.
        output: The file to write.
        output_format: How.
        progress: Called with parts done and parts in all.

    Returns:
        The report.

    Raises:
        InputError: When the study can't be read right, or has no DICOM series that a DICOM SEG could refer to.
    """
    with unpacked(source) as opened:
        prediction = segment_study(model, segmenter, opened, progress)
        prediction.write(output, output_format)
    report = prediction.report()
    write_text(output.with_name(output.name + ".json"), report.model_dump_json(indent=2) + "\n")
    return report


def _write_nifti(output: Path, prediction: Prediction) -> None:
    write_mask(output, prediction.segmentation.mask)


def _write_dicom_seg(output: Path, prediction: Prediction) -> None:
    study, model = prediction.study, prediction.model
    if not study.reference_files:
        message = f"Expected a DICOM study behind {study.case_id}, found NIfTI: a DICOM SEG must refer to its images. "
        raise InputError(message + "Ask for nifti or png, or send the DICOM study.", reason="source_is_not_dicom")
    version = f"{model.name} {model.version} {model.bundle.digest:.12}"
    targets = model.bundle.plan.targets
    write_seg(output, prediction.segmentation.mask, study.reference_files, targets, version=version, name=study.case_id)


def _write_png(output: Path, prediction: Prediction) -> None:
    # matplotlib takes a second; masks alone need none of it.
    from lesionflow.evaluation.figures import overlay_slice

    kinds = tuple(prediction.model.bundle.plan.dataset.channels.values())
    volumes = ", ".join(f"{name} {ml:.1f} ml" for name, ml in prediction.segmentation.volumes_ml.items())
    title = f"{prediction.study.case_id}: {volumes} ({prediction.model.name} {prediction.model.version})"
    with replacing_file(output) as partial:
        partial.write_bytes(overlay_slice(prediction.volume, prediction.segmentation.mask, kinds, title))


WRITERS: Mapping[str, Callable[[Path, Prediction], None]] = {
    "nifti": _write_nifti,
    "dicom-seg": _write_dicom_seg,
    "png": _write_png,
}
