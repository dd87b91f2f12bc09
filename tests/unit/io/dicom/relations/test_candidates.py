"""A stack is found beside what routine puts beside it; two stacks are not told apart by guessing."""

from dataclasses import replace

import numpy as np
import pytest
from pydicom.uid import SecondaryCaptureImageStorage

from lesionflow.errors import DicomError
from lesionflow.io.dicom.studies import find_studies, read_study
from lesionflow.io.notes import collected
from lesionflow.io.rules import ReadingRules, SeriesRule
from support.dicom_factory import AXIAL, CORONAL, write_multiframe, write_series

RULES = ReadingRules({"CT": SeriesRule("CT")}, "CT")
PET = ReadingRules({"PET": SeriesRule("PT")}, "PET")


def set_all(**values):
    def change(data, k):
        for keyword, value in values.items():
            if value is None:
                delattr(data, keyword)
            else:
                setattr(data, keyword, value)

    return change


def rgb(data, k):
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PlanarConfiguration = 3, "RGB", 0
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit, data.PixelRepresentation = 7, 0
    data.PixelData = bytes(data.Rows * data.Columns * 3 + 1)


def dose_report(data, k):
    rgb(data, k)
    data.SOPClassUID = SecondaryCaptureImageStorage
    del data.ImagePositionPatient, data.ImageOrientationPatient, data.PixelSpacing


def capture(data, k):
    del data.ImagePositionPatient, data.ImageOrientationPatient, data.PixelSpacing


def typed(*words):
    return set_all(ImageType=["DERIVED", "SECONDARY", *words])


def at_one_place(data, k):
    data.ImagePositionPatient = [0, 0, 0]


#: What lies beside the stack: how many images, and what they are.
BESIDE = {
    "a dose report": (1, dose_report),
    "a gray capture": (1, capture),
    "captures of several pages": (3, dose_report),
    "a fused picture in color, with positions": (5, rgb),
    "a projection": (1, typed("PROJECTION IMAGE")),
    "a maker's projections": (5, typed("CSA MIP")),
    "a rendering": (4, typed("VOLUME RENDERING")),
    "one slice of monitoring": (1, set_all()),
    "a bolus followed at one place": (4, at_one_place),
}


def read(folder, rules=RULES):
    (source,) = find_studies(folder)
    with collected() as notes:
        study = read_study(source, rules, name="c-1", outlines=False)
    return study, [note.code for note in notes]


@pytest.mark.parametrize(("n", "change"), BESIDE.values(), ids=BESIDE)
def test_what_is_no_stack_is_left_out_and_that_is_said(tmp_path, n, change):
    wanted = write_series(tmp_path / "b", description="thorax")
    write_series(tmp_path / "a", description="beside", shape=(n, 7, 11), change=change)
    study, notes = read(tmp_path)
    assert study.reference_files == tuple(map(str, wanted.paths))
    np.testing.assert_array_equal(study.volumes["CT"].array[0], wanted.stored * 2.0 - 1000.0)
    assert notes == ["series_left_out"]


def test_all_of_them_beside_one_stack(tmp_path):
    wanted = write_series(tmp_path / "stack", description="thorax")
    for name, (n, change) in BESIDE.items():
        write_series(tmp_path / name, series_uid=f"1.2.3.{len(name)}{n}", shape=(n, 7, 11), change=change)
    study, notes = read(tmp_path)
    assert study.reference_files == tuple(map(str, wanted.paths))
    assert set(notes) == {"series_left_out"}


def test_an_enhanced_image_is_a_stack_of_one_file(tmp_path):
    wanted = write_multiframe(tmp_path / "e" / "e.dcm")
    write_series(tmp_path / "a", shape=(1, 7, 11), change=dose_report)
    assert read(tmp_path)[0].reference_files == tuple(map(str, wanted.paths))


@pytest.mark.parametrize(
    ("shape", "orientation", "change"),
    [
        ((5, 7, 11), AXIAL, set_all()),
        ((4, 7, 11), CORONAL, typed("AXIAL")),
        ((2, 7, 11), AXIAL, set_all()),
        # Of a stack that lacks a position, reading says what is wrong with it: it is not the same as no stack.
        ((5, 7, 11), AXIAL, lambda data, k: capture(data, k) if k == 2 else None),
    ],
    ids=["another reconstruction", "a reformat", "two slices", "one slice without position"],
)
def test_two_stacks_stay_ambiguous(tmp_path, shape, orientation, change):
    write_series(tmp_path / "a", description="one")
    write_series(tmp_path / "b", description="two", shape=shape, orientation=orientation, change=change)
    with pytest.raises(DicomError, match="c-1") as caught:
        read(tmp_path)
    assert caught.value.reason == "ambiguous_series"


def test_one_slice_is_a_case_where_nothing_has_more(tmp_path):
    write_series(tmp_path / "a", shape=(1, 7, 11))
    assert read(tmp_path)[0].volumes["CT"].geometry.shape == (1, 7, 11)
    write_series(tmp_path / "b", shape=(1, 7, 11), description="two")
    with pytest.raises(DicomError) as caught:
        read(tmp_path)
    assert caught.value.reason == "ambiguous_series"


def test_the_only_series_is_read_whatever_it_is_and_says_why_not(tmp_path):
    write_series(tmp_path / "a", shape=(1, 7, 11), change=dose_report)
    with pytest.raises(DicomError) as caught:
        read(tmp_path)
    assert caught.value.reason == "not_grayscale"


def test_pet_without_attenuation_correction_is_left_out_beside_one_with_it(tmp_path):
    wanted = write_series(tmp_path / "b", modality="PT", description="AC")
    write_series(tmp_path / "a", modality="PT", description="NAC", change=set_all(CorrectedImage=["DECY"]))
    study, notes = read(tmp_path, PET)
    assert study.reference_files == tuple(map(str, wanted.paths))
    assert "series_left_out" in notes
    rules = replace(PET, channels={"PET": SeriesRule("PT", "NAC")})
    with pytest.raises(DicomError) as caught:
        read(tmp_path, rules)
    assert caught.value.reason == "missing_suv_factors"


def test_a_series_whose_header_is_broken_is_not_passed_over(tmp_path):
    write_series(tmp_path / "a", description="one")
    other = write_series(tmp_path / "b", description="two", shape=(1, 7, 11), change=capture)
    content = other.paths[0].read_bytes()
    other.paths[0].write_bytes(content.replace(b"\x28\x00\x02\x00US\x02\x00", b"\x28\x00\x02\x00US\x03\x00"))
    with pytest.raises(DicomError) as caught:
        read(tmp_path)
    assert caught.value.reason in {"ambiguous_series", "unreadable_file"}
