"""Headers broken in every way that was met: a segmentation is written all the same, or refused by name."""

import warnings

import numpy as np
import pydicom
import pytest
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from lesionflow.data.dataset import Target
from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask
from lesionflow.errors import DicomError
from lesionflow.io.dicom.relations.seg_sources import as_sources
from lesionflow.io.dicom.seg import write_seg
from lesionflow.io.dicom.series import read_series
from lesionflow.io.dicom.writing.referred import read_referred
from support.dicom_factory import SHAPE, put_raw, write_multiframe

#: pydicom warns of each fault that is written on purpose.
pytestmark = pytest.mark.filterwarnings("ignore:The value length", "ignore:Invalid value for VR")

TARGETS = (Target(name="tumor", labels=(1,)),)


def edit(**values):
    def change(data, k):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for keyword, value in values.items():
                if value is None:
                    delattr(data, keyword)
                else:
                    setattr(data, keyword, value)

    return change


def raw(keyword, vr, content, **values):
    """Put bytes into an element as they are, once the files are written."""
    return edit(**{keyword: values.pop("first", "X"), **values}), (keyword, vr, content)


def charset(content):
    return raw("SpecificCharacterSet", b"CS", content, first="ISO_IR 100")


def write(tmp_path, series):
    labels = np.random.default_rng(2).integers(0, 2, SHAPE).astype(np.uint8)
    files = tuple(map(str, series.paths))
    geometry = read_series(files, name="c-1").volume.geometry
    write_seg(
        tmp_path / "seg.dcm", Mask(labels, geometry), read_referred(files, name="c-1"), TARGETS, version="1", name="c-1"
    )
    seg = pydicom.dcmread(tmp_path / "seg.dcm")
    assert seg.pixel_array.sum() == labels.sum()
    return seg


def nested(data, k):
    inner = Dataset()
    inner.add_new(0x00091001, "UN", b"\x01\x02")
    item = Dataset()
    item.ReferencedStudySequence = [inner]
    data.ReferencedStudySequence = [item]


def private(data, k):
    block = data.private_block(0x0009, "SOMEBODY", create=True)
    block.add_new(0x01, "UN", b"\xff\xfe\xfd")
    data.add_new(0x00111010, "LO", "no creator at all")


#: Change of each slice, and what the segmentation says of the patient then.
READ = {
    "a lone code extension": (charset(b"ISO 2022 IR 87"), {"PatientName": "Doe^Jane"}),
    "an unknown character set": (charset(b"KLINGON"), {"PatientName": "Doe^Jane"}),
    "a misspelt character set": (charset(b"ISO-IR 100"), {"PatientName": "Doe^Jane"}),
    "GB18030": (edit(SpecificCharacterSet="GB18030", PatientName="王^小东"), {"PatientName": "王^小东"}),
    "latin 1": (edit(SpecificCharacterSet="ISO_IR 100", PatientName="Müller^Jörg"), {"PatientName": "Müller^Jörg"}),
    "japanese": (
        edit(SpecificCharacterSet=["", "ISO 2022 IR 87"], PatientName="Yamada^Tarou=山田^太郎"),
        {"PatientName": "Yamada^Tarou=山田^太郎"},
    ),
    "bytes of another character set": (raw("PatientName", b"PN", b"M\xfcller^J\xf6rg"), {"PatientID": "PATIENT^7"}),
    "an element of unknown type": (raw("PatientAge", b"ZZ", b"x", first="044Y"), {"PatientName": "Doe^Jane"}),
    "an element of unknown type among the study's": (raw("StudyDescription", b"Q?", b"x"), {"PatientName": "Doe^Jane"}),
    "a sequence with unknown elements": (nested, {"PatientName": "Doe^Jane"}),
    "private elements": (private, {"PatientName": "Doe^Jane"}),
    "an accession number of 20": (
        edit(AccessionNumber="12345678901234567890"),
        {"AccessionNumber": "1234567890123456"},
    ),
    "a birth date that is none": (edit(PatientBirthDate="19701332"), {"PatientBirthDate": ""}),
    "a birth date with points": (edit(PatientBirthDate="1970.01.02"), {"PatientBirthDate": "19700102"}),
    "a negative study date": (edit(StudyDate="-2024022"), {"StudyDate": ""}),
    "a study time that is none": (edit(StudyTime="25:61"), {"StudyTime": ""}),
    "a sex that is none": (edit(PatientSex="FEMALE"), {"PatientSex": ""}),
    "an age that is none": (edit(PatientAge="44"), {"PatientID": "PATIENT^7"}),
    "a weight that is none": (raw("PatientWeight", b"DS", b"seventy", first="70"), {"PatientID": "PATIENT^7"}),
    "a weight beyond all numbers": (edit(PatientWeight="1e400"), {"PatientID": "PATIENT^7"}),
    "a name of six components": (edit(PatientName="a^b^c^d^e^f^g"), {"PatientID": "PATIENT^7"}),
    "a name of 200 letters": (edit(PatientName="x" * 200), {"PatientName": "x" * 63}),
    "several names": (edit(PatientName=["Doe^Jane", "Roe^J"]), {"PatientID": "PATIENT^7"}),
    "control characters": (edit(PatientID="A\x07B\x1f"), {"PatientID": "A B"}),
    "no patient at all": (
        edit(PatientName=None, PatientID=None, PatientSex=None),
        {"PatientName": "", "PatientSex": ""},
    ),
    "empty values": (edit(PatientName="", PatientSex="", StudyDate="", StudyTime="", StudyID=""), {"StudyDate": ""}),
    "no slice thickness": (edit(SliceThickness=None), {"PatientName": "Doe^Jane"}),
    "a slice thickness that is none": (edit(SliceThickness="1e400"), {"PatientName": "Doe^Jane"}),
    "instance UIDs of 70 digits": (
        lambda data, k: edit(SOPInstanceUID=f"1.2.{'3' * 60}.{k + 1:05d}")(data, k),
        {"PatientName": "Doe^Jane"},
    ),
    "UIDs with leading zeros": (edit(StudyInstanceUID="1.2.003.04"), {"PatientName": "Doe^Jane"}),
    "no class in the data set": (edit(SOPClassUID=None), {"PatientName": "Doe^Jane"}),
}


@pytest.mark.parametrize(("change", "said"), READ.values(), ids=READ)
def test_a_segmentation_is_written_of_what_can_be_repeated(tmp_path, dicom_factory, change, said):
    change, patch = change if isinstance(change, tuple) else (change, None)
    series = dicom_factory(change=change)
    if patch:
        for path in series.paths:
            put_raw(path, tag_for_keyword(patch[0]), *patch[1:])
    seg = write(tmp_path, series)
    for keyword, value in said.items():
        assert str(seg[keyword].value) == value
    assert seg.SpecificCharacterSet == "ISO_IR 192"


REFUSED = {
    "no frame of reference": edit(FrameOfReferenceUID=None),
    "an empty frame of reference": edit(FrameOfReferenceUID=""),
    "a class that nobody knows": edit(SOPClassUID="1.2.3.4"),
}


@pytest.mark.parametrize("change", REFUSED.values(), ids=REFUSED)
def test_images_that_nothing_can_refer_to_are_refused(tmp_path, dicom_factory, change):
    with pytest.raises(DicomError, match="c-1") as caught:
        write(tmp_path, dicom_factory(change=change))
    assert caught.value.reason == "unreferable_images"
    assert not (tmp_path / "seg.dcm").exists()


def test_group_lengths_and_another_order_are_read(tmp_path, dicom_factory):
    def lengths(data, k):
        data.add(DataElement(0x00080000, "UL", 999))
        data.add(DataElement(0x00100000, "UL", 7))

    assert write(tmp_path, dicom_factory(change=lengths)).PatientName == "Doe^Jane"


def test_a_multi_frame_image_without_thickness_is_referred_to(tmp_path):
    def thin(data):
        del data.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SliceThickness

    assert write(tmp_path, write_multiframe(tmp_path / "e.dcm", change=thin)).PatientName == "Doe^Jane"


def test_a_multi_frame_image_without_pixel_spacing_is_refused(tmp_path):
    def bare(data):
        del data.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence

    with pytest.raises(DicomError) as caught:
        write(tmp_path, write_multiframe(tmp_path / "e.dcm", change=bare))
    assert caught.value.reason == "missing_geometry"


def test_slices_keep_what_tells_them_apart(dicom_factory):
    series = dicom_factory()
    images = [pydicom.dcmread(path, stop_before_pixels=True) for path in series.paths]
    sources, name = as_sources(images, 3.0, name="c-1")
    assert name == "Doe^Jane"
    assert [s.SOPInstanceUID for s in sources] == list(series.instance_uids)
    for k, source in enumerate(sources):
        assert [float(v) for v in source.ImagePositionPatient] == pytest.approx(list(series.position(k, 0, 0)))
    assert Geometry(SHAPE, series.affine_by_hand).spacing_mm[0] == pytest.approx(float(sources[0].SliceThickness))
