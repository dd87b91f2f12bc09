"""What is done with a study by one model: find out what was sent, segment it, write the masks that were asked for."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lesionflow.prediction.served_model import ServedModel
from lesionflow.prediction.writers import WRITERS
from lesionflow.serving.accepted.stages import StageReached, StudyStage, tell_stage
from lesionflow.serving.settings import ServiceSettings
from lesionflow.serving.uploads.multipart import Part
from lesionflow.serving.uploads.sources import study_source

if TYPE_CHECKING:
    from lesionflow.inference import Segmenter

#: Where a study is unpacked, within the folder that it is worked on in.
UNPACKED = "study"


def was_begun(parts: Sequence[Part], into: Path) -> bool:
    """Tell whether `segment_parts` has begun with a study, wherever it ended."""
    return (_work_folder(parts, into) / UNPACKED).exists()


def segment_parts(
    model: ServedModel,
    segmenter: "Segmenter",
    parts: Sequence[Part],
    into: Path,
    name: str,
    limits: ServiceSettings,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Segment a study and write its masks.

    Args:
        model: The model that `segmenter` was made of.
        segmenter: Ready to run.
        parts: What was sent, in a folder to work in: files are renamed there.
        into: Where the masks go, named as `WRITERS` says.
        name: What was asked for, a key of `ANSWERS`: a mask, or the report with masks of every format.
        limits: Of archives.
        progress: Called with parts done and parts in all; what it raises ends the work.

    Returns:
        The report as plain values, and under `formats` which masks were written.

    Raises:
        InputError: As `study_source` and `segment_study`.
        RequestRefusedError: As `study_source`.
    """
    from lesionflow.prediction.study import segment_study

    folder = _work_folder(parts, into)
    unpacked = folder / UNPACKED
    # First of all: by it `was_begun` tells.
    unpacked.mkdir()
    tell_stage(folder, StageReached(StudyStage.READING))
    source = study_source(parts, unpacked, tuple(model.bundle.plan.dataset.channels), limits)
    formats = (name,) if name in WRITERS else _all_formats(is_dicom=isinstance(source, Path))

    def told(n_done: int, n_all: int) -> None:
        tell_stage(folder, StageReached(StudyStage.SEGMENTING, n_done, n_all))
        if progress is not None:
            progress(n_done, n_all)

    prediction = segment_study(model, segmenter, source, told, output_formats=formats)
    for number, one in enumerate(formats):
        tell_stage(folder, StageReached(StudyStage.WRITING, number, len(formats)))
        prediction.write(into / WRITERS[one].file_name, one)
    return {"formats": list(formats), **prediction.report().model_dump(mode="json")}


def _work_folder(parts: Sequence[Part], into: Path) -> Path:
    return parts[0].path.parent if parts else into


def _all_formats(*, is_dicom: bool) -> tuple[str, ...]:
    return tuple(name for name, writer in WRITERS.items() if is_dicom or not writer.needs_dicom)
