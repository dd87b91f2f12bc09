"""RTSTRUCT: an outline a target, for radiotherapy planning."""

from pathlib import Path
from typing import TYPE_CHECKING

from lesionflow.prediction import SHOWN_DIGEST
from lesionflow.prediction.study_identity import passport_into
from lesionflow.prediction.writer import Writer

if TYPE_CHECKING:
    from lesionflow.prediction.study import Prediction


def _write(output: Path, prediction: "Prediction") -> None:
    """Write the mask as contours on the slices of the first channel's series."""
    from lesionflow.io.dicom.writing.structure_set import write_structure_set

    study, model = prediction.study, prediction.model
    write_structure_set(
        output,
        prediction.segmentation.mask,
        prediction.referred,
        model.bundle.plan.targets,
        version=f"{model.name[:32]} {model.version} {model.bundle.digest:.{SHOWN_DIGEST}}",
        name=study.case_id,
        remark=prediction.remark,
        passport=passport_into(prediction.report().passport),
    )


WRITER = Writer(
    name="rtstruct",
    summary="DICOM RT structure set: outlines on the study's own slices",
    media_type="application/dicom",
    accepted=(),
    file_name="mask.rtstruct.dcm",
    write=_write,
    needs_dicom=True,
)
