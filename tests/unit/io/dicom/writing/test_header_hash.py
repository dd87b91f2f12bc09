from io import BytesIO

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from lesionflow.io.dicom.writing.header_hash import hash_header


def header(**values):
    data, code = Dataset(), Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "108369006", "SCT", "Neoplasm"
    data.PatientName, data.PatientBirthDate, data.PatientSex = "Müller^Änne", "19700102", "F"
    data.SpecificCharacterSet = "ISO_IR 192"
    data.ImageType = ["DERIVED", "PRIMARY"]
    data.PixelSpacing, data.SliceThickness = [1 / 3, 0.1], 2 / 3
    data.AnatomicRegionSequence = Sequence([code])
    data.RecommendedDisplayCIELabValue = [1, 2, 3]
    data.PixelData = b"\0\1"
    for name, value in values.items():
        setattr(data, name, value)
    return data


def again(data, *, implicit):
    data.PixelSpacing, data.SliceThickness = ["0.333333", "0.1"], "0.666667"
    stream = BytesIO()
    data["PixelData"].VR = "OW"
    pydicom.dcmwrite(stream, data, implicit_vr=implicit, little_endian=True)
    stream.seek(0)
    return pydicom.dcmread(stream, force=True)


@pytest.mark.parametrize("implicit", [True, False])
def test_writing_and_reading_changes_nothing(implicit):
    made = header()
    assert hash_header(made) == hash_header(again(header(), implicit=implicit))


def test_what_is_empty_or_covered_elsewhere_or_an_archives_own_changes_nothing():
    same = header(AccessionNumber="", PixelData=b"\7\7", InstanceCreatorUID="1.2", ReferringPhysicianName="^")
    assert hash_header(same) == hash_header(header())


@pytest.mark.parametrize(
    "values",
    [
        {"PatientName": "Müller^Anne"},
        {"PatientSex": "M"},
        {"AccessionNumber": "1"},
        {"ImageType": ["DERIVED", "SECONDARY"]},
        {"SliceThickness": 0.667},
        {"AnatomicRegionSequence": Sequence([])},
    ],
)
def test_any_other_value_is_another_hash(values):
    assert hash_header(header(**values)) != hash_header(header())
