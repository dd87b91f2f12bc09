"""What written objects refer to is what their series says, by pydicom; what can't be read is nothing."""

import pydicom
import pytest
from pydicom.dataset import Dataset

from lesionflow.io.dicom.writing.references import read_references
from support.hand_made import hand_made_prediction


@pytest.mark.parametrize("output_format", ["dicom-seg", "rtstruct"])
def test_all_that_ties_an_object_to_its_series_is_found(tmp_path, output_format):
    prediction = hand_made_prediction(tmp_path / "series")
    prediction.write(tmp_path / "mask.dcm", output_format)
    slices = [pydicom.dcmread(path) for path in prediction.study.reference_files]
    assert read_references(pydicom.dcmread(tmp_path / "mask.dcm")) == {
        "patient": (slices[0].PatientID,),
        "study": (slices[0].StudyInstanceUID,),
        "frame of reference": (slices[0].FrameOfReferenceUID,),
        "series": (slices[0].SeriesInstanceUID,),
        "images": tuple(sorted(str(one.SOPInstanceUID) for one in slices)),
    }


def test_nothing_is_nothing():
    assert set(read_references(Dataset()).values()) == {()}
