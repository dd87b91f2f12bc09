"""NRRD: the labels of every voxel, each named and colored, as 3D Slicer has segmentations."""

from pathlib import Path
from typing import TYPE_CHECKING

from lesionflow.prediction import MAKER, PASSPORT_KEY, SHOWN_DIGEST
from lesionflow.prediction.writer import Writer

if TYPE_CHECKING:
    from lesionflow.prediction.study import Prediction


def _write(output: Path, prediction: "Prediction") -> None:
    """Write the mask with a segment a label; where targets overlap, each is a union of segments, as the passport says."""
    from lesionflow.io.images.written.named_segments_nrrd import write_named_segments

    texts = {
        MAKER: f"{MAKER} {prediction.model.bundle.digest:.{SHOWN_DIGEST}}",
        PASSPORT_KEY: prediction.report().passport.for_file(),
    }
    if prediction.remark:
        texts[f"{MAKER}-remark"] = prediction.remark
    write_named_segments(output, prediction.segmentation.mask, prediction.model.bundle.plan.dataset.labels, texts)


WRITER = Writer(
    name="nrrd",
    summary="labels with names and colors, as 3D Slicer opens them",
    media_type="application/x-nrrd",
    accepted=("application/x-nrrd",),
    file_name="mask.seg.nrrd",
    more_suffixes=(".nrrd",),
    write=_write,
)
