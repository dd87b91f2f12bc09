"""NIfTI: the labels of every voxel, where the study has them."""

from pathlib import Path
from typing import TYPE_CHECKING

from lesionflow.prediction import MAKER, SHOWN_DIGEST
from lesionflow.prediction.writer import Writer

if TYPE_CHECKING:
    from lesionflow.prediction.study import Prediction


def _write(output: Path, prediction: "Prediction") -> None:
    """Write the mask as a gzipped NIfTI file."""
    from lesionflow.io.images.nifti import write_mask

    # The digest alone: one bundle gives the same bytes, by whatever name it was called.
    origin = f"{MAKER} {prediction.model.bundle.digest:.{SHOWN_DIGEST}}"
    passport = prediction.report().passport.for_file()
    write_mask(output, prediction.segmentation.mask, description=origin, remark=prediction.remark, comment=passport)


WRITER = Writer(
    name="nifti",
    summary="labels on the study's own grid",
    media_type="application/gzip",
    accepted=("application/gzip", "application/x-nifti", "application/x-gzip"),
    file_name="mask.nii.gz",
    more_suffixes=(".nii",),
    write=_write,
)
