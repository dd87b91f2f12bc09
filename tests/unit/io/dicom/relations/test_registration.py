"""Two frames of reference: refused, or joined by a matrix worked out by hand."""

import copy

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from lesionflow.errors import DicomError
from lesionflow.io.dicom.studies import find_studies, read_study
from lesionflow.io.notes import collected
from lesionflow.io.rules import ReadingRules, SeriesRule
from support.dicom_factory import AXIAL, FRAME_UID, ROOT, write_registration, write_series

RULES = ReadingRules({"CT": SeriesRule("CT"), "PET": SeriesRule("PT")}, "CT")
OTHER = f"{ROOT}.1.10"
THIRD = f"{ROOT}.1.11"
#: A quarter turn about the z-axis: x becomes y, y becomes -x; then 10, -20 and 30 mm.
TURN = np.array([[0, -1, 0, 10], [1, 0, 0, -20], [0, 0, 1, 30], [0, 0, 0, 1]], float)
SHIFT = np.array([[1, 0, 0, 5], [0, 1, 0, 0], [0, 0, 1, -7], [0, 0, 0, 1]], float)


def study(folder, frame=OTHER, **values):
    ct = write_series(folder / "CT", orientation=AXIAL)
    pet = write_series(folder / "PT", modality="PT", orientation=AXIAL, frame_uid=frame, **values)
    return ct, pet


def read(folder):
    (source,) = find_studies(folder)
    with collected() as notes:
        read = read_study(source, RULES, name="c-1", outlines=False)
    return read.volumes, [note.code for note in notes]


def refusal(folder):
    with pytest.raises(DicomError, match="c-1") as caught:
        read(folder)
    return caught.value.reason


def test_another_frame_of_reference_is_refused(tmp_path):
    study(tmp_path)
    assert refusal(tmp_path) == "other_frame_of_reference"


@pytest.mark.parametrize("way", ["to the reference's frame", "from the reference's frame", "both to a third"])
def test_a_registration_moves_the_other_channel_by_its_matrix(tmp_path, way):
    _, pet = study(tmp_path)
    if way == "to the reference's frame":
        items = {FRAME_UID: np.eye(4), OTHER: TURN}
        write_registration(tmp_path / "REG.dcm", FRAME_UID, items)
        moved = TURN
    elif way == "from the reference's frame":
        write_registration(tmp_path / "REG.dcm", OTHER, {FRAME_UID: TURN})
        # Back: 10, -20, 30 mm less, then a quarter turn the other way: (x, y, z) -> (y + 20, 10 - x, z - 30).
        moved = np.array([[0, 1, 0, 20], [-1, 0, 0, 10], [0, 0, 1, -30], [0, 0, 0, 1]], float)
    else:
        write_registration(tmp_path / "REG.dcm", THIRD, {FRAME_UID: SHIFT, OTHER: TURN})
        # (x, y, z) -> (10 - y, x - 20, z + 30) in the third, less (5, 0, -7).
        moved = np.array([[0, -1, 0, 5], [1, 0, 0, -20], [0, 0, 1, 37], [0, 0, 0, 1]], float)
    volumes, notes = read(tmp_path)
    np.testing.assert_allclose(volumes["PET"].geometry.affine, moved @ pet.affine_by_hand, atol=1e-6)
    assert volumes["CT"].geometry.origin_mm == pytest.approx([-31.5, 12.25, 400.75])
    assert "registered_channel" in notes


def test_a_known_point_lands_where_it_should(tmp_path):
    """The PET's first voxel lies at (-31.5, 12.25, 400.75): turned (-12.25, -31.5, 400.75), moved (-2.25, -51.5, 430.75)."""
    study(tmp_path)
    write_registration(tmp_path / "REG.dcm", FRAME_UID, {OTHER: TURN})
    np.testing.assert_allclose(read(tmp_path)[0]["PET"].geometry.to_lps((0, 0, 0)), (-2.25, -51.5, 430.75), atol=1e-6)


def test_two_registrations_in_a_row_lead_there_too(tmp_path):
    _, pet = study(tmp_path)
    write_registration(tmp_path / "1.dcm", THIRD, {OTHER: TURN}, uid=1)
    write_registration(tmp_path / "2.dcm", FRAME_UID, {THIRD: SHIFT}, uid=2)
    np.testing.assert_allclose(read(tmp_path)[0]["PET"].geometry.affine, SHIFT @ TURN @ pet.affine_by_hand, atol=1e-6)


def test_a_registration_that_names_images_alone(tmp_path):
    _, pet = study(tmp_path)

    def name_images(data):
        item, image = data.RegistrationSequence[0], Dataset()
        del item.FrameOfReferenceUID
        image.ReferencedSOPInstanceUID = pet.instance_uids[2]
        item.ReferencedImageSequence = [image]

    write_registration(tmp_path / "REG.dcm", FRAME_UID, {OTHER: TURN}, change=name_images)
    np.testing.assert_allclose(read(tmp_path)[0]["PET"].geometry.affine, TURN @ pet.affine_by_hand, atol=1e-6)


def test_a_registration_of_another_study_uid_among_the_images_is_of_theirs(tmp_path):
    _, pet = study(tmp_path / "study")
    path = write_registration(tmp_path / "study" / "REG.dcm", FRAME_UID, {OTHER: TURN})
    data = pydicom.dcmread(path)
    data.StudyInstanceUID = f"{ROOT}.99"
    data.save_as(path)
    np.testing.assert_allclose(read(tmp_path / "study")[0]["PET"].geometry.affine, TURN @ pet.affine_by_hand, atol=1e-6)


def kind(text):
    def change(data):
        item = data.RegistrationSequence[0].MatrixRegistrationSequence[0].MatrixSequence[0]
        item.FrameOfReferenceTransformationMatrixType = text

    return change


def twice(data):
    data.RegistrationSequence[0].MatrixRegistrationSequence[0].MatrixSequence.append(
        copy.deepcopy(data.RegistrationSequence[0].MatrixRegistrationSequence[0].MatrixSequence[0])
    )
    matrix = data.RegistrationSequence[0].MatrixRegistrationSequence[0].MatrixSequence[1]
    matrix.FrameOfReferenceTransformationMatrix = [float(v) for v in SHIFT.ravel()]


SCALED, MIRRORED = np.diag([1.1, 1, 1, 1.0]), np.diag([-1.0, 1, 1, 1])
FAULTS = {
    "scaled, said": (SCALED, kind("RIGID_SCALE"), "non_rigid_registration"),
    "affine, said": (TURN, kind("AFFINE"), "non_rigid_registration"),
    "scaled, not said": (SCALED, None, "non_rigid_registration"),
    "mirrored": (MIRRORED, None, "non_rigid_registration"),
    "two matrices whose order matters": (TURN, twice, "unreadable_registration"),
    "no matrix": (
        TURN,
        lambda d: delattr(d.RegistrationSequence[0], "MatrixRegistrationSequence"),
        "unreadable_registration",
    ),
    "another patient's": (TURN, lambda d: setattr(d, "PatientID", "SOMEBODY"), "other_frame_of_reference"),
    "of other frames": (TURN, lambda d: setattr(d, "FrameOfReferenceUID", THIRD), "other_frame_of_reference"),
}


@pytest.mark.parametrize(("matrix", "change", "reason"), FAULTS.values(), ids=FAULTS)
def test_what_is_no_rigid_registration_of_the_two_is_refused(tmp_path, matrix, change, reason):
    study(tmp_path)
    write_registration(tmp_path / "REG.dcm", FRAME_UID, {OTHER: matrix}, change=change)
    assert refusal(tmp_path) == reason


def test_a_matrix_that_is_not_finite_is_refused(tmp_path):
    study(tmp_path)
    path = write_registration(tmp_path / "REG.dcm", FRAME_UID, {OTHER: np.diag([1.0, 1, 1, 1]) + SHIFT * 0})
    path.write_bytes(path.read_bytes().replace(b"1.0\\0.0", b"nan\\0.0", 1))
    assert refusal(tmp_path) == "unreadable_registration"


def test_a_deformable_registration_is_refused(tmp_path):
    def deformable(data):
        item = Dataset()
        item.SourceFrameOfReferenceUID = OTHER
        del data.RegistrationSequence
        data.DeformableRegistrationSequence = [item]

    study(tmp_path)
    write_registration(tmp_path / "REG.dcm", FRAME_UID, {OTHER: TURN}, change=deformable)
    assert refusal(tmp_path) == "non_rigid_registration"


def test_two_that_differ_are_refused_and_two_alike_are_one(tmp_path):
    study(tmp_path)
    for number in (1, 2):
        write_registration(tmp_path / f"{number}.dcm", FRAME_UID, {OTHER: TURN}, uid=number)
    assert "registered_channel" in read(tmp_path)[1]
    write_registration(tmp_path / "3.dcm", FRAME_UID, {OTHER: SHIFT}, uid=3)
    assert refusal(tmp_path) == "ambiguous_registration"


def test_one_frame_needs_no_registration_and_none_is_used(tmp_path):
    _, pet = study(tmp_path, frame=FRAME_UID)
    write_registration(tmp_path / "REG.dcm", FRAME_UID, {OTHER: TURN})
    volumes, notes = read(tmp_path)
    np.testing.assert_allclose(volumes["PET"].geometry.affine, pet.affine_by_hand, atol=1e-6)
    assert notes == []


@pytest.mark.parametrize("which", ["CT", "PT", "both"])
def test_a_channel_without_a_frame_is_taken_to_be_in_the_references_and_that_is_said(tmp_path, which):
    ct, pet = study(tmp_path, frame=FRAME_UID)
    for series in (ct, pet):
        for path in series.paths if which == "both" or which in str(series.folder) else ():
            data = pydicom.dcmread(path)
            del data.FrameOfReferenceUID
            data.save_as(path)
    volumes, notes = read(tmp_path)
    np.testing.assert_allclose(volumes["PET"].geometry.affine, pet.affine_by_hand, atol=1e-6)
    assert notes == ["unknown_frame_of_reference"]
