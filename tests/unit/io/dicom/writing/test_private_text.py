"""A text of ours in a DICOM object, as pydicom sees its elements."""

import io

import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from lesionflow.io.dicom.writing.private_text import add_private_text, read_equipment_text, read_private_text

TEXT = '{"a":"' + "x" * 3001 + '"}'


@pytest.fixture
def data():
    made = pydicom.Dataset()
    made.PatientName = "Nobody"
    other = pydicom.Dataset()
    other.Manufacturer = "Another"
    made.ContributingEquipmentSequence = [other]
    add_private_text(made, TEXT, short="s" * 2000, software_version="0.3")
    return made


def test_it_is_a_private_block_of_a_creator_and_an_equipment_behind_those_that_were_there(data):
    assert data[0x0099, 0x0010].value == "LESIONFLOW"
    assert (data[0x0099, 0x1001].VR, data[0x0099, 0x1001].value) == ("UT", TEXT)
    first, ours = data.ContributingEquipmentSequence
    assert (first.Manufacturer, ours.Manufacturer, ours.SoftwareVersions) == ("Another", "lesionflow", "0.3")
    assert ours.PurposeOfReferenceCodeSequence[0].CodeValue == "109102"
    assert len(ours.ContributionDescription) == 1024, "ST holds no more"


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_it_is_read_whoever_stored_it_again(data, syntax):
    stored = io.BytesIO()
    pydicom.dcmwrite(stored, data, implicit_vr=syntax.is_implicit_VR, little_endian=True, enforce_file_format=False)
    found = pydicom.dcmread(io.BytesIO(stored.getvalue()), force=True)
    if not hasattr(found, "file_meta") or "TransferSyntaxUID" not in found.file_meta:
        found.file_meta = pydicom.dataset.FileMetaDataset()
        found.file_meta.TransferSyntaxUID = syntax
    assert read_private_text(found) == TEXT
    assert read_equipment_text(found) == "s" * 1024


def test_where_private_elements_were_dropped_the_short_text_is_left(data):
    data.remove_private_tags()
    assert read_private_text(data) == ""
    assert read_equipment_text(data) == "s" * 1024
    assert read_equipment_text(pydicom.Dataset()) == ""
