"""A study is sent whole and without the names of its files."""

import zipfile

import pytest

from lesionflow.client.study_upload import opened_parts
from lesionflow.errors import InputError


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "DOE^JANE"
    (made / "CT").mkdir(parents=True)
    (made / "CT" / "DOE_1.dcm").write_bytes(b"one")
    (made / "CT" / "DOE_2.dcm").write_bytes(b"two")
    return made


def contents(study):
    with opened_parts(study) as parts:
        ((name, (file_name, file)),) = parts
        assert (name, file_name) == ("study", "study.zip")
        with zipfile.ZipFile(file) as archive:
            return {one: archive.read(one) for one in archive.namelist()}


def test_a_folder_or_its_files_are_one_zip_that_names_nobody(folder):
    files = sorted(folder.rglob("*.dcm"))
    for study in (folder, files):
        sent = contents(study)
        assert sorted(sent.values()) == [b"one", b"two"]
        assert "DOE" not in "".join(sent)
    assert list(contents(files[0]).values()) == [b"one"]


def test_a_zip_is_sent_as_it_is(tmp_path):
    path = tmp_path / "s.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", b"b")
    with opened_parts(path) as parts:
        ((_, (_, file)),) = parts
        assert file.read() == path.read_bytes()
    assert file.closed


def test_channels_are_parts_of_their_names(tmp_path):
    (tmp_path / "DOE.nii.gz").write_bytes(b"ct")
    (tmp_path / "DOE.mha").write_bytes(b"pet")
    with opened_parts({"PET": tmp_path / "DOE.mha", "CT": tmp_path / "DOE.nii.gz"}) as parts:
        assert [(name, told, file.read()) for name, (told, file) in parts] == [
            ("CT", "CT.nii.gz", b"ct"),
            ("PET", "PET.mha", b"pet"),
        ]


def test_nothing_is_no_study(tmp_path):
    for study in (tmp_path, [], [tmp_path / "none"], tmp_path / "none"):
        with pytest.raises(InputError) as caught, opened_parts(study):
            pass
        assert caught.value.reason == "empty_study"
