"""From the parts of a request to what can be read."""

import gzip
import zipfile

import pytest

from lesionflow.errors import InputError
from lesionflow.serving.settings import ServiceSettings
from lesionflow.serving.sources import study_source
from lesionflow.serving.uploads import Part

SETTINGS = ServiceSettings()


@pytest.fixture
def part(tmp_path):
    made = []

    def make(name, content):
        path = tmp_path / f"part-{len(made)}"
        path.write_bytes(content)
        made.append(path)
        return Part(name, path)

    return make


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "study"
    made.mkdir()
    return made


def test_a_zip_becomes_its_files(tmp_path, part, folder):
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as archive:
        archive.writestr("a/1.dcm", b"one")
    assert study_source([part("study", (tmp_path / "s.zip").read_bytes())], folder, ["CT"], SETTINGS) == folder
    assert [p.read_bytes() for p in folder.iterdir()] == [b"one"]


def test_single_files_become_a_folder(part, folder):
    assert study_source([part("study", b"one"), part("study", b"two")], folder, ["CT"], SETTINGS) == folder
    assert sorted(p.read_bytes() for p in folder.iterdir()) == [b"one", b"two"]


def test_volumes_are_named_by_channel_and_by_their_packing(part, folder):
    parts = [part("PET", gzip.compress(b"x")), part("CT", b"x")]
    source = study_source(parts, folder, ["CT", "PET"], SETTINGS)
    assert {name: path.suffixes for name, path in source.items()} == {"PET": [".nii", ".gz"], "CT": [".nii"]}


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ([], "empty_upload"),
        (["MR"], "unknown_part"),
        (["study", "CT"], "mixed_parts"),
        (["CT", "CT", "PET"], "duplicate_part"),
        (["PET"], "missing_channel"),
    ],
)
def test_a_wrong_set_of_parts_is_named(part, folder, names, reason):
    with pytest.raises(InputError) as error:
        study_source([part(name, b"x") for name in names], folder, ["CT", "PET"], SETTINGS)
    assert error.value.reason == reason


def test_an_empty_part_is_named(part, folder):
    with pytest.raises(InputError) as error:
        study_source([part("study", b"")], folder, ["CT"], SETTINGS)
    assert error.value.reason == "empty_upload"
