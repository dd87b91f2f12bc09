import numpy as np
import pydicom
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian

from lesionflow.errors import DicomError
from lesionflow.io.dicom import deflated
from lesionflow.io.dicom.reading import read_dicom_file
from lesionflow.io.dicom.sorting import scan
from support.dicom_factory import ROOT, write_series


@pytest.fixture
def patients(tmp_path):
    """Two patients with a series each, in nested folders."""
    return [
        write_series(
            tmp_path / "raw" / name / "CT", patient_id=name, study_uid=f"{ROOT}.{n}", frame_uid=f"{ROOT}.{n}.9"
        )
        for n, name in enumerate(("ANN", "BEN"), 1)
    ]


def test_a_deflated_file_is_read(patients):
    path = patients[0].paths[0]
    data = pydicom.dcmread(path)
    data.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    data.save_as(path)
    assert scan([path])[0].patient_ids == ("ANN",)
    np.testing.assert_array_equal(read_dicom_file(str(path), name="c-1").pixel_array, patients[0].stored[0])


def test_a_deflated_file_that_would_fill_the_memory_is_refused(patients, monkeypatch):
    path = patients[0].paths[0]
    data = pydicom.dcmread(path)
    data.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    data.save_as(path)
    monkeypatch.setattr(deflated, "MAX_INFLATED_BYTES", 500)
    with pytest.raises(DicomError, match="deflated") as caught:
        read_dicom_file(str(path), name="c-1")
    assert caught.value.reason == "unreadable_file"
    assert scan([path])[0].unreadable == (str(path),)
