import pydicom
import pytest

from lesionflow.io.dicom import sorting
from lesionflow.io.dicom.sorting import scan
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
    directory.file_meta.MediaStorageSOPClassUID = directory.SOPClassUID = sorting.DICOMDIR_CLASS
    directory.save_as(tmp_path / "raw" / "DICOMDIR")
    assert [len(study.files) for study in scan_all(tmp_path)] == [5, 5]


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
        data.add_new(0x00091001, "UN", bytes(2 * sorting.HEAD_BYTES))
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
