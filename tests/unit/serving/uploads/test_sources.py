"""From the parts of a request to what can be read."""

import gzip
import zipfile
from io import BytesIO

import pytest
import SimpleITK
from PIL import Image

from lesionflow.data.dataset import Dataset
from lesionflow.errors import InputError
from lesionflow.io.inputs import read_input
from lesionflow.serving.settings import ServiceSettings
from lesionflow.serving.uploads.multipart import Part
from lesionflow.serving.uploads.sources import study_source

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


def save(image, ending):
    out = BytesIO()
    image.save(out, ending)
    return out.getvalue()


@pytest.mark.parametrize("ending", ["png", "jpeg", "tiff"])
def test_a_picture_is_read_as_one(folder, part, ending):
    """Parts have no names: what they are is told by how they begin."""
    gray = Dataset(name="d", channels={"gray": "picture"}, labels={"nucleus": 1}, regions={})
    source = study_source([part("gray", save(Image.new("L", (9, 6), 77), ending))], folder, ["gray"], SETTINGS)
    array = read_input(source, gray).volumes["gray"].array
    assert (array.shape, float(array.min())) == ((1, 1, 6, 9), 77.0)


@pytest.mark.parametrize("ending", ["nrrd", "mha", "nii", "nii.gz"])
def test_a_volume_of_any_format_is_read_as_one(tmp_path, folder, part, ending):
    SimpleITK.WriteImage(SimpleITK.Image(3, 4, 5, SimpleITK.sitkInt16) + 7, str(tmp_path / f"a.{ending}"))
    ct = Dataset(name="d", channels={"CT": "ct"}, labels={"tumor": 1}, regions={})
    source = study_source([part("CT", (tmp_path / f"a.{ending}").read_bytes())], folder, ["CT"], SETTINGS)
    assert read_input(source, ct).volumes["CT"].array.shape == (1, 5, 4, 3)


@pytest.mark.parametrize(("form", "ending"), [("BMP", ".bmp"), ("GIF", ".gif")])
def test_what_predict_takes_for_a_picture_the_service_takes_for_one(part, folder, form, ending):
    packed = BytesIO()
    Image.new("L", (5, 4), 7).save(packed, form)
    source = study_source([part("gray", packed.getvalue())], folder, ["gray"], SETTINGS)
    assert source["gray"].suffix == ending
    read = read_input(source, Dataset(name="d", channels={"gray": "picture"}, labels={"tumor": 1}, regions={}))
    assert read.volumes["gray"].array.shape == (1, 1, 4, 5)
