"""DICOM SEG: a segment a target, for viewers and archives that hold the study itself."""

from pathlib import Path
from typing import TYPE_CHECKING

from lesionflow.prediction.study_identity import passport_into
from lesionflow.prediction.writer import Writer

if TYPE_CHECKING:
    from lesionflow.prediction.study import Prediction


def _write(output: Path, prediction: "Prediction") -> None:
    """Write the mask as a binary DICOM segmentation of the first channel's series."""
    from lesionflow.io.dicom.seg import write_seg

    study, model = prediction.study, prediction.model
    write_seg(
        output,
        prediction.segmentation.mask,
        prediction.referred,
        model.bundle.plan.targets,
        version=model.software_version,
        name=study.case_id,
        remark=prediction.remark,
        comments=prediction.warnings,
        passport=passport_into(prediction.report().passport),
    )


WRITER = Writer(
    name="dicom-seg",
    summary="DICOM SEG that references the study's own series",
    media_type="application/dicom",
    accepted=("application/dicom",),
    file_name="mask.dcm",
    write=_write,
    needs_dicom=True,
)
