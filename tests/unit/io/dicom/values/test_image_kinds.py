"""What a header says an image is: by the words of the standard and of the makers."""

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, JPEGExtended12Bit

from lesionflow.errors import DicomError
from lesionflow.io.dicom.values.image_kinds import tell_kind
from lesionflow.io.notes import collected


def header(modality="MR", kind=("ORIGINAL", "PRIMARY", "M", "ND"), syntax=ExplicitVRLittleEndian, **others):
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = syntax
    data.Modality, data.ImageType = modality, list(kind)
    for keyword, value in others.items():
        setattr(data, keyword, value)
    return data


def told(*slices):
    with collected() as notes:
        tell_kind(slices, name="c-1")
    return [(one.code, one.message) for one in notes]


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        (("ORIGINAL", "PRIMARY", "P", "ND"), "P"),
        (("ORIGINAL", "PRIMARY", "PHASE MAP", "P", "FFE"), "P and PHASE MAP"),
        (("ORIGINAL", "PRIMARY", "R", "FFE", "R", "FFE"), "R"),
        (("DERIVED", "PRIMARY", "IMAGINARY"), "IMAGINARY"),
        # Siemens and Philips of a magnitude; a primary image of another flavor.
        (("ORIGINAL", "PRIMARY", "M", "ND"), ""),
        (("ORIGINAL", "PRIMARY", "M_FFE", "M", "FFE"), ""),
        (("ORIGINAL", "PRIMARY", "T1", "NONE"), ""),
        (("ORIGINAL", "P"), ""),
        ((), ""),
    ],
)
def test_an_mr_that_is_no_magnitude_is_told_by_its_words(kind, found):
    notes = told(header(kind=kind), header(kind=kind))
    assert [code for code, _ in notes] == (["no_magnitude"] if found else [])
    assert not found or f"found an image of kind {found}:" in notes[0][1]


def test_the_complex_component_of_an_enhanced_image_tells_it():
    assert (
        told(header(kind=("ORIGINAL", "PRIMARY", "FIELD_MAP", "NONE"), ComplexImageComponent="REAL"))[0][0]
        == "no_magnitude"
    )
    assert told(header(kind=("ORIGINAL", "PRIMARY", "FIELD_MAP", "NONE"), ComplexImageComponent="MAGNITUDE")) == []
    assert told(header(kind=("ORIGINAL", "PRIMARY", "FIELD_MAP", "NONE"), ComplexImageComponent="MIXED")) == []


@pytest.mark.parametrize("word", ["MAT_SPECIFIC", "MAT_FRACTIONAL", "EFF_ATOMIC_NUM", "ELECTRON_DENSITY"])
def test_what_is_no_density_of_tissue_is_refused(word):
    with pytest.raises(DicomError, match=word) as refusal:
        told(header("CT", ("DERIVED", "PRIMARY", "AXIAL", "NONE")), header("CT", ("DERIVED", "PRIMARY", "AXIAL", word)))
    assert refusal.value.reason == "unsupported_ct_units"


@pytest.mark.parametrize("word", ["VMI", "MAT_REMOVED", "MAT_MODIFIED", "SUBTRACTION"])
def test_other_hu_are_said(word):
    assert [code for code, _ in told(header("CT", ("DERIVED", "PRIMARY", "AXIAL", word)))] == ["other_hu"]
    assert told(header("CT", ("DERIVED", "PRIMARY", "AXIAL"))) == []
    assert told(header("PT", ("DERIVED", "PRIMARY", "AXIAL", word))) == []


def test_loss_is_told_by_the_flag_of_any_slice_or_by_a_coding_that_always_loses():
    plain = header("PT")
    assert told(plain, header("PT", LossyImageCompression="00")) == []
    assert told(plain, header("PT", syntax=JPEG2000Lossless)) == []
    for lossy in (header("PT", LossyImageCompression="01"), header("PT", syntax=JPEGExtended12Bit)):
        assert [code for code, _ in told(plain, lossy)] == ["lossy_compression"]
