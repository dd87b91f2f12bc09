from pathlib import Path

import pydicom
import pytest
from pydicom.fileset import FileSet

from lesionflow.io.dicom.studies import find_studies
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
