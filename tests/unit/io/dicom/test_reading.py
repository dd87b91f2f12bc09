import contextlib
import zlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian

from lesionflow.errors import DicomError
from lesionflow.io.dicom import reading
from lesionflow.io.dicom.reading import is_dicom, may_be_dicom, read_dicom_file
from lesionflow.io.dicom.series import read_series
from lesionflow.io.dicom.sorting import scan
from lesionflow.io.files import find_files
from lesionflow.io.notes import collected
from support.dicom_factory import ROOT, write_series


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


def test_a_file_without_preamble_is_dicom_all_the_same(tmp_path, patients):
    path = patients[0].paths[0]
    path.write_bytes(path.read_bytes()[132:])
    assert not is_dicom(path)
    assert may_be_dicom(path)
    assert len(scan_all(tmp_path)[0].files) == 5
    assert read_dicom_file(str(path), name="c-1").PatientID == "ANN"


def test_nested_beyond_all_measure_is_refused(tmp_path, patients):
    path = patients[0].paths[0]
    item = b"\x08\x00\x40\x11SQ\x00\x00\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    head = path.read_bytes()
    meta_end = 132 + 12 + int(pydicom.dcmread(path).file_meta.FileMetaInformationGroupLength)
    path.write_bytes(head[:meta_end] + item * 3000)
    with pytest.raises(DicomError) as caught:
        read_dicom_file(str(path), name="c-1")
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
            read_dicom_file(str(path), name="c-1")


def test_zlib_faults_are_faults_of_reading():
    assert zlib.error in reading.READ_FAULTS


def test_what_is_deflated_is_said_to_have_no_checksum_once(tmp_path):
    def deflated(data, _):
        data.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian

    series = write_series(tmp_path / "deflated", shape=(3, 4, 5), change=deflated)
    with collected() as notes:
        read_series(tuple(map(str, series.paths)), name="c-1")
    assert [note.code for note in notes] == ["no_checksum"]
    with collected() as notes:
        read_series(tuple(map(str, write_series(tmp_path / "plain", shape=(3, 4, 5)).paths)), name="c-1")
    assert not notes
