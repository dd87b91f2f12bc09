"""Headers of series written by hand."""

import pytest

from lesionflow.errors import DicomError
from lesionflow.io.dicom.arriving.instance_header import read_instance_header
from support.dicom_factory import AXIAL, CORONAL, write_series


@pytest.mark.parametrize(
    ("orientation", "plane"),
    [(AXIAL, "axial"), (CORONAL, "coronal"), (((0, 1, 0), (0, 0, -1), (-1, 0, 0)), "sagittal")],
)
def test_a_header_says_where_an_object_belongs(tmp_path, orientation, plane):
    series = write_series(tmp_path, orientation=orientation)
    header = read_instance_header(series.paths[1])
    assert header.series == series.series_uid
    assert header.study == series.study_uid
    assert header.sop_instance in series.instance_uids
    assert (header.modality, header.plane, header.n_frames) == ("CT", plane, 1)


@pytest.mark.parametrize("uid", [b"../../../etc/x", b"1..2", b"1.02", b"a.b", b""])
def test_a_uid_that_is_none_is_refused(tmp_path, uid):
    series = write_series(tmp_path / "s")
    known = series.study_uid.encode()
    wrong = tmp_path / "wrong.dcm"
    wrong.write_bytes(
        series.paths[0]
        .read_bytes()
        .replace(
            known + b"\0" * (len(known) % 2),
            uid.ljust(len(known) + len(known) % 2, b"\0")[: len(known) + len(known) % 2],
        )
    )
    with pytest.raises(DicomError) as error:
        read_instance_header(wrong)
    assert error.value.reason == "invalid_uid"


def test_what_is_no_dicom_is_refused(tmp_path):
    (tmp_path / "x").write_bytes(b"GIF89a" * 100)
    with pytest.raises(DicomError) as error:
        read_instance_header(tmp_path / "x")
    assert error.value.reason == "unreadable_file"
