import numpy as np
import pytest

from lesionflow.errors import DicomError
from lesionflow.io.layouts.mask_series import find_studies, read_study
from lesionflow.io.notes import collected
from lesionflow.io.rules import ReadingRules, SeriesRule
from support.dicom_factory import ORIGIN_MM, ROOT, SHAPE, write_series

RULES = ReadingRules(
    {"CT": SeriesRule("CT")},
    "CT",
    {"liver": 1, "tumor": 2},
    (("liver", "liver"), ("livertumor.*", "tumor")),
)
LIVER = np.arange(5 * 7 * 11).reshape(SHAPE) % 3 == 0
TUMOR = np.arange(5 * 7 * 11).reshape(SHAPE) % 4 == 0


def write_masks(folder, inside, **values):
    return write_series(
        folder, stored=(inside * 255).astype(np.int16), series_uid=f"{ROOT}.{sum(folder.name.encode())}", **values
    )


@pytest.fixture
def case(tmp_path):
    folder = tmp_path / "3Dircadb1.7"
    write_series(folder / "PATIENT_DICOM")
    write_masks(folder / "MASKS_DICOM" / "liver", LIVER)
    write_masks(folder / "MASKS_DICOM" / "livertumor01", TUMOR)
    write_masks(folder / "MASKS_DICOM" / "bone", ~LIVER)
    return folder


def read(folder):
    (source,) = find_studies(folder)
    return source, read_study(source, RULES, name="c-1")


def refusal(folder):
    with pytest.raises(DicomError, match="c-1") as caught:
        read(folder)
    return caught.value.reason


def test_structures_come_by_the_names_of_their_folders_at_the_places_of_the_image(tmp_path, case):
    source, study = read(tmp_path)
    assert (source.key, source.patient_key) == ("3Dircadb1.7", "3Dircadb1.7")
    # Files are named in an order of their own: masks are matched by position.
    np.testing.assert_array_equal(study.mask.labels == 2, TUMOR)
    np.testing.assert_array_equal(study.mask.labels == 1, LIVER & ~TUMOR)


def test_slices_without_a_mask_are_empty(tmp_path, case):
    (case / "MASKS_DICOM" / "livertumor01" / "17.dcm").unlink()
    (case / "MASKS_DICOM" / "liver" / "17.dcm").unlink()
    assert not read(tmp_path)[1].mask.labels[2].any()


def test_masks_on_other_places_are_refused(tmp_path, case):
    write_masks(case / "MASKS_DICOM" / "liver", LIVER, origin_mm=(ORIGIN_MM[0] + 0.4, *ORIGIN_MM[1:]))
    assert refusal(tmp_path) == "outline_off_grid"


def test_masks_of_another_size_are_refused(tmp_path, case):
    for path in (case / "MASKS_DICOM" / "liver").iterdir():
        path.unlink()
    write_masks(case / "MASKS_DICOM" / "liver", LIVER[:, 1:], shape=(5, 6, 11))
    assert refusal(tmp_path) == "outline_off_grid"


def test_two_masks_of_one_slice_are_refused(tmp_path, case):
    first = case / "MASKS_DICOM" / "liver" / "03.dcm"
    (first.parent / "copy.dcm").write_bytes(first.read_bytes())
    assert refusal(tmp_path) == "duplicate_slice_position"


def test_a_broken_mask_is_refused(tmp_path, case):
    path = case / "MASKS_DICOM" / "liver" / "03.dcm"
    path.write_bytes(path.read_bytes()[:-60])
    assert refusal(tmp_path) == "unreadable_outline"


def test_a_case_without_wanted_masks_is_refused(tmp_path, case):
    for name in ("liver", "livertumor01"):
        (case / "MASKS_DICOM" / name).rename(case / "MASKS_DICOM" / f"x{name}")
    assert refusal(tmp_path) == "no_matching_outline"


def test_structures_of_one_label_are_united_aloud(tmp_path, case):
    write_masks(case / "MASKS_DICOM" / "livertumor02", LIVER)
    with collected() as notes:
        read(tmp_path)
    (said,) = [note.message for note in notes if note.code == "united_structures"]
    assert "livertumor01, livertumor02" in said
