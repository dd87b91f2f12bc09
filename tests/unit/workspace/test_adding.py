"""Studies are copied file by file, never over other bytes unasked, and gone on with where a copy was broken off."""

import json
from pathlib import Path

import pytest

from lesionflow.errors import ConfigError, InputError
from lesionflow.workspace.adding import add_files
from support.dicom_factory import ROOT, write_series


def dicom(folder, number=1):
    return write_series(folder, patient_id=f"P{number}", study_uid=f"{ROOT}.{number}", frame_uid=f"{ROOT}.{number}.9")


def nnunet(folder, n_cases, value=b"voxels"):
    (folder / "imagesTr").mkdir(parents=True)
    (folder / "labelsTr").mkdir()
    for number in range(n_cases):
        (folder / "imagesTr" / f"c{number}_0000.nii.gz").write_bytes(value)
        (folder / "labelsTr" / f"c{number}.nii.gz").write_bytes(value)
    content = {"channel_names": {"0": "CT"}, "labels": {"background": 0, "tumor": 1}, "file_ending": ".nii.gz"}
    (folder / "dataset.json").write_text(json.dumps({**content, "numTraining": n_cases}))
    return folder


def bytes_of(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_dicom_gets_a_folder_of_its_own_named_as_its_source(tmp_path):
    dicom(tmp_path / "march" / "ann")
    done = add_files(tmp_path / "march", tmp_path / "raw", replace=False)
    assert (done.folder, done.n_copied, done.n_same) == (tmp_path / "raw" / "march", 5, 0)
    assert bytes_of(tmp_path / "raw" / "march") == bytes_of(tmp_path / "march")


def test_the_same_call_again_goes_on_where_it_was_broken_off(tmp_path):
    series = dicom(tmp_path / "march")
    add_files(tmp_path / "march", tmp_path / "raw", replace=False)
    (tmp_path / "raw" / "march" / series.paths[3].name).unlink()
    again = add_files(tmp_path / "march", tmp_path / "raw", replace=False)
    assert (again.n_copied, again.n_same) == (1, 4)
    assert bytes_of(tmp_path / "raw" / "march") == bytes_of(tmp_path / "march")


def test_other_bytes_of_the_same_length_are_refused_before_anything_is_copied(tmp_path):
    first, second = dicom(tmp_path / "march").paths[:2]
    add_files(tmp_path / "march", tmp_path / "raw", replace=False)
    (tmp_path / "raw" / "march" / second.name).unlink()
    content = bytearray(first.read_bytes())
    content[-1] ^= 1
    first.write_bytes(content)
    with pytest.raises(ConfigError, match=first.name):
        add_files(tmp_path / "march", tmp_path / "raw", replace=False)
    assert not (tmp_path / "raw" / "march" / second.name).exists()
    with pytest.raises(ConfigError, match="Expected new files in /clinic/march, found 1 that are in") as refused:
        add_files(tmp_path / "march", tmp_path / "raw", replace=False, given=Path("/clinic/march"))
    assert str(tmp_path / "march") not in str(refused.value)
    done = add_files(tmp_path / "march", tmp_path / "raw", replace=True)
    assert (done.n_copied, done.n_same, done.replaced) == (2, 3, (tmp_path / "raw" / "march" / first.name,))
    assert (tmp_path / "raw" / "march" / first.name).read_bytes() == bytes(content)


def test_declarations_that_count_other_cases_are_the_same(tmp_path):
    raw = nnunet(tmp_path / "raw", 3)
    part = nnunet(tmp_path / "part", 1)
    done = add_files(part, raw, replace=False)
    assert (done.folder, done.n_copied, done.n_same) == (raw, 0, 3)
    assert json.loads((raw / "dataset.json").read_text())["numTraining"] == 3


def test_a_declaration_of_other_labels_is_another(tmp_path):
    raw, part = nnunet(tmp_path / "raw", 3), nnunet(tmp_path / "part", 1)
    content = json.loads((part / "dataset.json").read_text())
    (part / "dataset.json").write_text(json.dumps({**content, "labels": {"background": 0, "cyst": 1}}))
    with pytest.raises(ConfigError, match=r"dataset\.json"):
        add_files(part, raw, replace=False)


def test_studies_of_another_layout_are_refused(tmp_path):
    dicom(tmp_path / "march")
    with pytest.raises(ConfigError, match="layout"):
        add_files(tmp_path / "march", nnunet(tmp_path / "raw", 1), replace=False)


def test_nothing_to_add_is_refused_by_name(tmp_path):
    with pytest.raises(ConfigError, match="found none"):
        add_files(tmp_path / "absent", tmp_path / "raw", replace=False)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError):
        add_files(tmp_path / "empty", tmp_path / "raw", replace=False)
