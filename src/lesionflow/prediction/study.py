"""From a study to its mask and report: what `lesionflow predict`, the service and MLflow all call. Not one of the nine steps.

The model's plan decides everything; params.yaml is not read here.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from lesionflow.data.volume import Volume
from lesionflow.errors import InputError
from lesionflow.inference import Segmentation, Segmenter
from lesionflow.io.files import replacing_file, write_text
from lesionflow.io.inputs import StudyInput, read_input, unpacked
from lesionflow.machine.study_budget import study_budget
from lesionflow.prediction import UNLIKE_TRAINING
from lesionflow.prediction.body_check import describe_outside
from lesionflow.prediction.documents import DOCUMENTS
from lesionflow.prediction.mask_identity import MaskIdentity, identify
from lesionflow.prediction.place_check import require_in_place
from lesionflow.prediction.report import Report, describe_unlike, make_report
from lesionflow.prediction.served_model import ServedModel
from lesionflow.prediction.writers import REPORT_FORMAT, WRITERS, find_writer
from lesionflow.preprocessing import align_channels

if TYPE_CHECKING:
    from lesionflow.io.dicom.writing.referred import ReferredSeries


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
            output_format: A key of `WRITERS`.

        Raises:
            InputError: `source_is_not_dicom` when the format refers to DICOM images and the study has none.
            ConfigError: When the format is unknown.
            MisplacedResultError: When what was written has another volume than the mask or lies elsewhere.
        """
        writer = find_writer(output_format)
        _require_source(self.study, output_format)
        began = time.perf_counter()
        with replacing_file(output) if writer.needs_dicom else nullcontext(output) as path:
            writer.write(path, self)
            if writer.needs_dicom:
                require_in_place(path, self)
        self.timings_s[f"write_{output_format.replace('-', '_')}"] = time.perf_counter() - began

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is to be known of the mask, whatever it is written as."""
        return self.report().warnings

    @property
    def remark(self) -> str:
        """The gravest warning in as few words as every format has room for; empty where there is none."""
        found = self.segmentation.out_of_distribution
        return UNLIKE_TRAINING if found is not None and found.flagged else ""

    @cached_property
    def referred(self) -> "ReferredSeries":
        """The first channel's series as every DICOM format refers to it, read once."""
        from lesionflow.io.dicom.writing.referred import read_referred

        return read_referred(self.study.reference_files, name=self.study.case_id)

    @cached_property
    def outside_body(self) -> str:
        """What of the mask lies in air, in a sentence; empty where nothing does."""
        kinds = tuple(self.model.bundle.plan.dataset.channels.values())
        return describe_outside(self.volume, self.segmentation.mask, kinds)

    @cached_property
    def identity(self) -> MaskIdentity:
        """The mask, told by a hash over its voxels and by its grid."""
        return identify(self.segmentation.mask, self.model.bundle.plan.targets)

    def report(self) -> Report:
        """Return the report, with all timings so far."""
        return make_report(
            self.model,
            self.study,
            self.segmentation,
            self.timings_s,
            outside_body=self.outside_body,
            identity=self.identity,
        )


def segment_study(
    model: ServedModel,
    segmenter: Segmenter,
    source: Path | Mapping[str, Path],
    progress: Callable[[int, int], None] | None = None,
    *,
    output_formats: Iterable[str] = (),
) -> Prediction:
    """Read a study and segment it.

    Args:
        model: The model that `segmenter` was made of.
        segmenter: Ready to run.
        source: The folder of a DICOM study, a NIfTI file for a model of one channel, or a NIfTI file by channel.
        progress: Called with parts done and parts in all.
        output_formats: What will be written: one that the study can't be written in is refused before it is segmented.

    Returns:
        The segmented study, on the grid of its first channel.

    Raises:
        InputError: When the study can't be read right, or would cost more than is allowed; `source_is_not_dicom`.
        ConfigError: When a format is unknown.
    """
    began = time.perf_counter()
    dataset = model.bundle.plan.dataset
    with study_budget(model.bundle.plan.spacing_mm):
        study = read_input(source, dataset)
    for name in output_formats:
        _require_source(study, name)
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
    output_format: str,
    strict: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Segment a study, write its mask to `output` and its report beside it, to `<output>.json`.

    Args:
        model: The model that `segmenter` was made of.
        segmenter: Ready to run.
        source: As `segment_study`, or a zip with one DICOM study.
        output: The file to write.
        output_format: A key of `WRITERS`; of `DOCUMENTS`: what is made of the report; `REPORT_FORMAT`: the report alone, to `output` itself.
        strict: Whether a study unlike the training data is refused; without, it is warned of.
        progress: Called with parts done and parts in all.

    Returns:
        The report.

    Raises:
        InputError: When the study can't be read right, has no DICOM series that the format could refer to, or is
            `unlike_training_data`.
        ConfigError: When the format is unknown.
    """
    with unpacked(source) as opened:
        wanted = () if output_format == REPORT_FORMAT or output_format in DOCUMENTS else (output_format,)
        prediction = segment_study(model, segmenter, opened, progress, output_formats=wanted)
        if strict:
            _require_alike(prediction.segmentation)
        for name in wanted:
            prediction.write(output, name)
        if output_format in DOCUMENTS:
            _write_document(output, prediction, output_format)
    report = prediction.report()
    beside = output if output_format == REPORT_FORMAT else output.with_name(output.name + ".json")
    write_text(beside, report.model_dump_json(indent=2) + "\n")
    return report


def _write_document(output: Path, prediction: Prediction, name: str) -> None:
    document, picture = DOCUMENTS[name], None
    if document.shows_picture:
        with TemporaryDirectory() as folder:
            overlay = Path(folder) / WRITERS["png"].file_name
            prediction.write(overlay, "png")
            picture = overlay.read_bytes()
    made = document.make(prediction.report().model_dump(mode="json"), picture)
    with replacing_file(output) as partial:
        partial.write_bytes(made)


def _require_alike(segmentation: Segmentation) -> None:
    found = segmentation.out_of_distribution
    if found is not None and found.flagged:
        raise InputError(f"{describe_unlike(found.reasons)} Nothing was written.", reason="unlike_training_data")


def _require_source(study: StudyInput, output_format: str) -> None:
    if find_writer(output_format).needs_dicom and not study.reference_files:
        raise _source_is_not_dicom(study.case_id, output_format)


def _source_is_not_dicom(case_id: str, output_format: str) -> InputError:
    others = " or ".join(name for name, writer in WRITERS.items() if not writer.needs_dicom)
    message = f"Expected a DICOM study behind {case_id}, found other files: {output_format} must refer to its images. "
    return InputError(f"{message}Ask for {others}, or send the DICOM study.", reason="source_is_not_dicom")
