"""Outlines; where they lie is shown by the contract test of the output formats."""

import pydicom

from lesionflow.prediction.writers.rtstruct import WRITER
from support.hand_made import hand_made_prediction


def test_a_hole_is_told_by_exclusive_or_and_a_slice_without_one_plainly(tmp_path):
    prediction = hand_made_prediction(tmp_path / "study")
    WRITER.write(tmp_path / "mask.rtstruct.dcm", prediction)
    data = pydicom.dcmread(tmp_path / "mask.rtstruct.dcm")
    whole = data.ROIContourSequence[0].ContourSequence
    kinds = [contour.ContourGeometricType for contour in whole]
    assert kinds == ["CLOSEDPLANAR_XOR", "CLOSEDPLANAR_XOR", "CLOSED_PLANAR"]
    assert [roi.ROIName for roi in data.StructureSetROISequence] == ["whole", "core"]
    referred = data.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0].RTReferencedSeriesSequence[0]
    assert len(referred.ContourImageSequence) == 5
