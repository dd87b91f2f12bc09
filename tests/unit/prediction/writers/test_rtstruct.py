"""Outlines; where they lie is shown by the contract test of the output formats."""

import shutil
import subprocess

import pydicom
import pytest

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


def test_dciodvfy_finds_no_error(tmp_path):
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy is not installed: Debian's dicom3tools has it")
    WRITER.write(tmp_path / "m.rtstruct.dcm", hand_made_prediction(tmp_path / "study"))
    done = subprocess.run(["dciodvfy", tmp_path / "m.rtstruct.dcm"], capture_output=True, text=True, check=False)
    assert "RTStructureSet" in done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("Error")]
    # The standard has had it since 2018 (PS3.3 C.8.8.6.3), Debian's dciodvfy does not know it yet; only slices with holes say it.
    assert [line for line in errors if "<CLOSEDPLANAR_XOR>" not in line] == []
