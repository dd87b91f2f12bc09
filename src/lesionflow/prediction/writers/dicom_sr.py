"""DICOM SR: what was found, in figures that radiology reports can take over."""

from pathlib import Path
from typing import TYPE_CHECKING

from lesionflow.prediction import DISCLAIMER
from lesionflow.prediction.study_identity import passport_into
from lesionflow.prediction.writer import Writer

if TYPE_CHECKING:
    from lesionflow.prediction.study import Prediction


def _write(output: Path, prediction: "Prediction") -> None:
    """Write volumes, diameters and how sure the model is of them; the mask itself stands in the DICOM SEG that it names."""
    from lesionflow.io.dicom.writing.measurement_report import write_measurement_report

    study, model = prediction.study, prediction.model
    write_measurement_report(
        output,
        prediction.segmentation.mask,
        prediction.referred,
        model.bundle.plan.targets,
        prediction.segmentation.findings,
        version=model.software_version,
        model=(model.name, model.version),
        bundle_digest=model.bundle.digest,
        name=study.case_id,
        remark=prediction.remark,
        comments=(DISCLAIMER, *prediction.warnings),
        passport=passport_into(prediction.report().passport),
    )


WRITER = Writer(
    name="dicom-sr",
    summary="DICOM SR (TID 1500): volumes, diameters and confidence, by the segments of the DICOM SEG",
    media_type="application/dicom",
    accepted=(),
    file_name="measurements.sr.dcm",
    write=_write,
    holds_voxels=False,
    needs_dicom=True,
)
