import contextlib
import zlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.fileset import FileSet
from pydicom.uid import DeflatedExplicitVRLittleEndian

from lesionflow.errors import DicomError, InputError
from lesionflow.io.dicom import deflated
from lesionflow.io.dicom import files as dicom_files
from lesionflow.io.dicom.reading import is_dicom, may_be_dicom, read_dataset
from lesionflow.io.dicom.sorting import scan
from lesionflow.io.dicom.studies import find_studies
from lesionflow.io.files import find_files
from support.dicom_factory import ROOT, write_rtstruct, write_series

SQUARE = {"GTV": [(1, [(1, 1), (1, 4), (4, 4), (4, 1)])]}


@pytest.fixture
def patients(tmp_path):
    """Two patients with a series each, in nested folders."""
    return [
        write_series(
            tmp_path / "raw" / name / "CT", patient_id=name, study_uid=f"{ROOT}.{n}", frame_uid=f"{ROOT}.{n}.9"
        )
        for n, name in enumerate(("ANN", "BEN"), 1)
    ]


def scan_all(tmp_path):
    return scan(find_files(tmp_path / "raw"))


def test_files_are_found_by_content_whatever_their_names(tmp_path, patients):
    for number, path in enumerate(patients[0].paths):
        path.rename(path.parent / ["IM0", "a.b.c", "scan.img", "x.txt", "README"][number])
    (tmp_path / "raw" / "notes.txt").write_text("not DICOM")
    studies = scan_all(tmp_path)
    assert [study.patient_ids for study in studies] == [("ANN",), ("BEN",)]
    assert [len(study.files) for study in studies] == [5, 5]
    assert not any(study.unreadable for study in studies)


def test_studies_are_told_apart_in_one_flat_folder(tmp_path, patients):
    for n, series in enumerate(patients):
        for path in series.paths:
            path.rename(tmp_path / "raw" / f"{n}{path.name}")
    assert [len(study.files) for study in scan_all(tmp_path)] == [5, 5]


def test_hidden_files_and_a_dicomdir_are_passed_over(tmp_path, patients):
    (tmp_path / "raw" / ".partial-1").mkdir()
    (tmp_path / "raw" / ".partial-1" / "0.dcm").write_bytes(patients[0].paths[0].read_bytes())
    directory = pydicom.dcmread(patients[0].paths[0], stop_before_pixels=True)
    directory.file_meta.MediaStorageSOPClassUID = directory.SOPClassUID = dicom_files.DICOMDIR_CLASS
    directory.save_as(tmp_path / "raw" / "DICOMDIR")
    assert [len(study.files) for study in scan_all(tmp_path)] == [5, 5]


def test_files_that_a_dicomdir_lists_and_that_are_gone_are_missed(tmp_path, patients):
    medium = FileSet()
    for series in patients:
        for path in series.paths:
            data = pydicom.dcmread(path)
            data.PatientName, data.StudyID, data.SeriesNumber, data.InstanceNumber = "X", "1", 1, 1
            data.StudyDate, data.StudyTime, data.AccessionNumber = "20200101", "101010", ""
            medium.add(data)
    medium.write(tmp_path / "medium")
    medium._stage["t"].cleanup()  # else it warns when it is collected
    studies = list(find_studies(tmp_path / "medium"))
    assert [(len(study.files), study.fault) for study in studies] == [(5, None), (5, None)]
    lost = [Path(i.path) for i in medium if i.PatientID == "BEN"]
    lost[-1].unlink()
    whole, part = find_studies(tmp_path / "medium")
    assert whole.fault is None
    assert part.fault[0] == "missing_file"
    assert "found 1 missing" in part.fault[1]
    for path in lost[:-1]:
        path.unlink()
    assert [study.fault for study in find_studies(tmp_path / "medium")] == [None], (
        "a series that is gone as a whole was meant to go"
    )


def test_links_are_followed_and_a_loop_of_links_ends(tmp_path, patients):
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "ann").symlink_to(tmp_path / "raw" / "ANN")
    (tmp_path / "linked" / "loop").symlink_to(tmp_path / "linked")
    (tmp_path / "linked" / "one.dcm").symlink_to(patients[1].paths[0])
    assert len(find_files(tmp_path / "linked")) == 6


def test_a_file_without_preamble_is_dicom_all_the_same(tmp_path, patients):
    path = patients[0].paths[0]
    path.write_bytes(path.read_bytes()[132:])
    assert not is_dicom(path)
    assert may_be_dicom(path)
    assert len(scan_all(tmp_path)[0].files) == 5
    assert read_dataset(str(path), name="c-1").PatientID == "ANN"


@pytest.mark.parametrize("length", [0, 131, 140, 300])
def test_a_broken_file_makes_the_studies_of_its_folder_unreadable_and_no_other(tmp_path, patients, length):
    patients[0].paths[3].write_bytes(patients[0].paths[3].read_bytes()[:length])
    ann, ben = scan_all(tmp_path)
    assert ann.unreadable == (str(patients[0].paths[3]),)
    assert ben.unreadable == ()


def test_a_broken_file_in_a_folder_of_its_own_is_reported_as_a_study(tmp_path, patients):
    (tmp_path / "raw" / "CARL").mkdir()
    (tmp_path / "raw" / "CARL" / "0.dcm").write_bytes(patients[0].paths[0].read_bytes()[:200])
    orphan = scan_all(tmp_path)[-1]
    assert (orphan.study_uid, orphan.series) == ("", {})
    assert len(orphan.unreadable) == 1


def test_outlines_among_the_images_of_one_study_belong_to_it_whatever_they_name(tmp_path, patients):
    write_rtstruct(tmp_path / "raw" / "ANN" / "RS.dcm", patients[1], SQUARE)
    ann, ben = scan_all(tmp_path)
    assert len(ann.outlines) == 1
    assert ann.patient_ids == ("ANN",)
    assert ben.outlines == ()


def test_outlines_in_a_folder_of_all_patients_belong_to_the_study_that_they_name(tmp_path, patients):
    write_rtstruct(tmp_path / "raw" / "RS.dcm", patients[1], SQUARE)
    ann, ben = scan_all(tmp_path)
    assert (len(ann.outlines), len(ben.outlines)) == (0, 1)


def test_an_outline_that_was_copied_counts_once(tmp_path, patients):
    first = write_rtstruct(tmp_path / "raw" / "ANN" / "RS.dcm", patients[0], SQUARE)
    (first.parent / "copy.dcm").write_bytes(first.read_bytes())
    assert len(scan_all(tmp_path)[0].outlines) == 1


def test_a_deflated_file_is_read(patients):
    path = patients[0].paths[0]
    data = pydicom.dcmread(path)
    data.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    data.save_as(path)
    assert scan([path])[0].patient_ids == ("ANN",)
    np.testing.assert_array_equal(read_dataset(str(path), name="c-1").pixel_array, patients[0].stored[0])


def test_a_deflated_file_that_would_fill_the_memory_is_refused(patients, monkeypatch):
    path = patients[0].paths[0]
    data = pydicom.dcmread(path)
    data.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    data.save_as(path)
    monkeypatch.setattr(deflated, "MAX_INFLATED_BYTES", 500)
    with pytest.raises(DicomError, match="deflated") as caught:
        read_dataset(str(path), name="c-1")
    assert caught.value.reason == "unreadable_file"
    assert scan([path])[0].unreadable == (str(path),)


def test_nested_beyond_all_measure_is_refused(tmp_path, patients):
    path = patients[0].paths[0]
    item = b"\x08\x00\x40\x11SQ\x00\x00\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    head = path.read_bytes()
    meta_end = 132 + 12 + int(pydicom.dcmread(path).file_meta.FileMetaInformationGroupLength)
    path.write_bytes(head[:meta_end] + item * 3000)
    with pytest.raises(DicomError) as caught:
        read_dataset(str(path), name="c-1")
    assert caught.value.reason == "unreadable_file"


def test_every_prefix_of_a_file_is_read_or_refused_by_name(patients):
    path = Path(patients[0].paths[0])
    content = path.read_bytes()
    rng = np.random.default_rng(1)
    for _ in range(60):
        broken = bytearray(content[: rng.integers(1, len(content))])
        for at in rng.integers(0, len(broken), 4):
            broken[at] = rng.integers(0, 256)
        path.write_bytes(bytes(broken))
        scan([path])
        with contextlib.suppress(DicomError):  # any other exception fails the test
            read_dataset(str(path), name="c-1")


def test_zlib_faults_are_faults_of_reading():
    assert zlib.error in dicom_files.READ_FAULTS


def test_a_broken_file_in_a_flat_folder_harms_the_study_alone_that_it_names(tmp_path, patients):
    for n, series in enumerate(patients):
        for path in series.paths:
            path.rename(tmp_path / "raw" / f"{n}{path.name}")
    broken = tmp_path / "raw" / f"0{patients[0].paths[3].name}"
    content = broken.read_bytes()
    # Cut off right after the study's UID: of which series it was nothing says.
    at = content.index(patients[0].study_uid.encode() + b"\0", 400) + len(patients[0].study_uid) + 1
    broken.write_bytes(content[:at])
    ann, ben = scan_all(tmp_path)
    assert (ann.unreadable, ben.unreadable) == ((str(broken),), ())


def test_a_study_uid_that_may_be_cut_off_itself_is_not_believed(tmp_path, patients):
    for n, series in enumerate(patients):
        for path in series.paths:
            path.rename(tmp_path / "raw" / f"{n}{path.name}")
    broken = tmp_path / "raw" / f"0{patients[0].paths[3].name}"
    content = broken.read_bytes()
    broken.write_bytes(content[: content.index(patients[0].study_uid.encode(), 400) + len(patients[0].study_uid)])
    assert [study.unreadable for study in scan_all(tmp_path)] == [(str(broken),), (str(broken),)]


@pytest.mark.parametrize("how", ["long_header", "out_of_order", "cut_at_the_end"])
def test_headers_that_are_not_whole_in_a_files_first_bytes_are_read_all_the_same(tmp_path, patients, how):
    path = patients[0].paths[2]
    data = pydicom.dcmread(path)
    if how == "long_header":
        data.add_new(0x00091001, "UN", bytes(2 * dicom_files.HEAD_BYTES))
        data.save_as(path)
    elif how == "out_of_order":
        content = path.read_bytes()
        number = content[content.index(b"\x20\x00\x13\x00IS") :]
        number = number[: 8 + int.from_bytes(number[6:8], "little")]
        at = content.index(b"\x08\x00\x18\x00UI")
        path.write_bytes(content[:at] + number + content[at:].replace(number, b"", 1))
    else:
        path.write_bytes(path.read_bytes()[:-7])
    header = scan_all(tmp_path)[0].series[str(data.SeriesInstanceUID)][2]
    assert (header.study_uid, header.series_uid) == (f"{ROOT}.1", str(data.SeriesInstanceUID))
    assert header.instance_uid == str(data.SOPInstanceUID)
    assert (header.patient_id, header.modality) == ("ANN", str(data.Modality))


def test_a_folder_that_is_not_there_is_said_to_be_missing(tmp_path):
    with pytest.raises(InputError, match="found none") as refused:
        find_files(tmp_path / "raw")
    assert refused.value.reason == "missing_folder"
