import zipfile

import numpy as np
import pytest
from PIL import Image

from lesionflow.data.dataset import Dataset
from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Volume
from lesionflow.errors import InputError
from lesionflow.io import archives
from lesionflow.io.images.nifti import write_volume
from lesionflow.io.inputs import read_input, unpacked
from support.dicom_factory import ROOT, SHAPE, write_rtstruct

CT = Dataset(name="d", channels={"CT": "ct"}, labels={"tumor": 1}, regions={})
CT_PET = CT.model_copy(update={"channels": {"CT": "ct", "PET": "pet"}})
BRAIN = CT.model_copy(update={"channels": {"T1": "mr", "T1c": "mr", "FLAIR": "mr"}})


@pytest.fixture
def nifti(tmp_path):
    def write(name, value=1.5):
        path = tmp_path / f"{name}.nii.gz"
        write_volume(path, Volume(np.full((1, 3, 4, 5), value), Geometry.from_parts((3, 4, 5), (2.0, 0.8, 0.5))))
        return path

    return write


def refusal(source, dataset=CT):
    with pytest.raises(InputError) as caught:
        read_input(source, dataset)
    return caught.value.reason


def test_a_dicom_study_gives_its_channels_and_the_files_that_a_mask_refers_to(tmp_path, dicom_factory):
    ct = dicom_factory()
    dicom_factory(modality="PT", shape=(3, 4, 6))
    study = read_input(tmp_path / "study", CT_PET)
    assert list(study.volumes) == ["CT", "PET"]
    np.testing.assert_array_equal(study.volumes["CT"].array[0], ct.stored * 2.0 - 1000.0)
    assert study.reference_files == tuple(map(str, ct.paths))


def test_outlines_that_lie_beside_are_left_alone(tmp_path, dicom_factory):
    write_rtstruct(tmp_path / "study" / "RS", dicom_factory(), {"anything": []})
    assert read_input(tmp_path / "study", CT).volumes["CT"].geometry.shape == SHAPE


def test_one_file_of_a_series_stands_for_its_folder(dicom_factory):
    series = dicom_factory()
    assert read_input(series.paths[2], CT).reference_files == tuple(map(str, series.paths))


def test_a_study_is_named_by_its_content_not_by_names(tmp_path, dicom_factory):
    series = dicom_factory()
    first = read_input(series.folder, CT)
    for number, path in enumerate(series.paths):
        path.rename(path.with_name(f"x{number}"))
    series.folder.rename(tmp_path / "another")
    again = read_input(tmp_path / "another", CT)
    assert (first.case_id, first.sha256) == (again.case_id, again.sha256)
    assert first.case_id == f"s-{first.sha256[:10]}"
    other = dicom_factory(stored=series.stored + 1)
    assert read_input(other.folder, CT).case_id != first.case_id


def test_mr_channels_are_told_apart_by_name(tmp_path, dicom_factory):
    for number, name in enumerate(("T1", "T1c", "FLAIR")):
        dicom_factory(modality="MR", folder=tmp_path / "s" / name, description=f"ax_{name}_3mm", stored=stored(number))
    volumes = read_input(tmp_path / "s", BRAIN).volumes
    assert [float(volumes[name].array[0, 0, 0, 0]) for name in BRAIN.channels] == [0.0, 1.0, 2.0]


def test_the_series_are_chosen_as_in_training(tmp_path, dicom_factory):
    dicom_factory(folder=tmp_path / "s" / "a", description="bone", stored=stored(1))
    dicom_factory(folder=tmp_path / "s" / "b", description="Soft tissue", stored=stored(2))
    dataset = CT.model_copy(update={"series_descriptions": {"CT": "^soft"}})
    assert read_input(tmp_path / "s", dataset).volumes["CT"].array[0, 0, 0, 0] == 2 * 2 - 1000
    assert refusal(tmp_path / "s") == "ambiguous_series"


@pytest.mark.parametrize("told", [{"body_parts": {"CT": "liver"}}, {"reconstruction_kernels": {"CT": "^B3"}}])
def test_the_series_are_chosen_by_body_part_and_kernel_as_in_training(tmp_path, dicom_factory, told):
    def change(data, k):
        data.BodyPartExamined, data.ConvolutionKernel = "LIVER", "B30f"

    dicom_factory(folder=tmp_path / "s" / "a", description="a", stored=stored(1))
    dicom_factory(folder=tmp_path / "s" / "b", description="b", stored=stored(2), change=change)
    assert read_input(tmp_path / "s", CT.model_copy(update=told)).volumes["CT"].array[0, 0, 0, 0] == 2 * 2 - 1000


@pytest.mark.parametrize("by_name", [True, False])
def test_a_picture_is_no_ct(tmp_path, by_name):
    path = tmp_path / "a.png"
    Image.new("L", (9, 6), 77).save(path)
    assert refusal({"CT": path} if by_name else path) == "picture_without_unit"


def stored(value):
    return np.full(SHAPE, value, dtype=np.int16)


def test_nifti_by_channel_comes_in_the_order_of_the_model(nifti):
    study = read_input({"PET": nifti("b", 2.5), "CT": nifti("a", 1.5)}, CT_PET)
    assert {name: float(volume.array.max()) for name, volume in study.volumes.items()} == {"CT": 1.5, "PET": 2.5}
    assert list(study.volumes) == ["CT", "PET"]
    assert study.reference_files == ()


def test_one_nifti_is_enough_for_one_channel(nifti):
    assert list(read_input(nifti("a"), CT).volumes) == ["CT"]
    assert refusal(nifti("a"), CT_PET) == "missing_channel"


def test_names_that_the_model_does_not_know_are_refused(nifti):
    assert refusal({"CT": nifti("a"), "T1": nifti("b")}) == "unknown_channel"
    assert refusal({"CT": nifti("a")}, CT_PET) == "missing_channel"


def test_folders_without_a_study_are_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    assert refusal(tmp_path / "empty") == "empty_folder"
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "a.txt").write_text("?")
    assert refusal(tmp_path / "odd") == "unknown_layout"


def test_no_such_file_is_refused(tmp_path):
    assert refusal(tmp_path / "nothing.nii.gz") == "missing_file"


def test_two_studies_are_refused(tmp_path, dicom_factory):
    dicom_factory()
    dicom_factory(folder=tmp_path / "study" / "prior", study_uid=f"{ROOT}.2")
    assert refusal(tmp_path / "study") == "several_studies"


@pytest.mark.parametrize("length", [0, 200])
def test_a_file_cut_off_in_its_header_is_not_passed_over(dicom_factory, length):
    """Without its last slice the series would look whole."""
    series = dicom_factory()
    series.paths[-1].write_bytes(series.paths[-1].read_bytes()[:length])
    assert refusal(series.folder) == "unreadable_file"


def test_a_picture_is_a_study_of_its_colors(tmp_path):
    colored = np.arange(6 * 9 * 3, dtype=np.uint8).reshape(6, 9, 3)
    Image.fromarray(colored).save(tmp_path / "a.png")
    gray = CT.model_copy(update={"channels": {"gray": "picture"}})
    rgb = CT.model_copy(update={"channels": {"red": "picture", "green": "picture", "blue": "picture"}})
    assert read_input(tmp_path / "a.png", gray).volumes["gray"].geometry.shape == (1, 6, 9)
    volumes = read_input(tmp_path / "a.png", rgb).volumes
    np.testing.assert_array_equal(np.dstack([volumes[c].array[0, 0] for c in rgb.channels]), colored)
    mr = CT.model_copy(update={"channels": {"T1": "mr", "T2": "mr"}})
    assert refusal(tmp_path / "a.png", mr) == "missing_channel"


@pytest.fixture
def zipped(tmp_path):
    def write(*files, name="s.zip"):
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as archive:
            for number, path in enumerate(files):
                archive.write(path, f"a/{number % 2}/{number}")
        return tmp_path / name

    return write


@pytest.mark.parametrize("name", ["s.zip", "S.ZIP", "received"])
def test_a_zip_is_the_study_that_was_zipped(zipped, dicom_factory, name):
    series = dicom_factory()
    folder = read_input(series.folder, CT)
    with unpacked(zipped(*reversed(series.paths), name=name)) as opened:
        study = read_input(opened, CT)
        assert (study.case_id, study.sha256) == (folder.case_id, folder.sha256)
        assert all(str(opened) in file for file in study.reference_files)
        np.testing.assert_array_equal(study.volumes["CT"].array, folder.volumes["CT"].array)
    assert not opened.exists()


def test_what_is_no_zip_is_given_as_it_is(nifti, dicom_factory):
    for source in (dicom_factory().folder, nifti("a"), {"CT": nifti("a")}):
        with unpacked(source) as opened:
            assert opened is source


def _evil(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../evil", b"x")


def _swelling(path):
    """A thousandth of its size: more than a study's images ever shrink."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", bytes(10_000_000))


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (_evil, "unsafe_path"),
        (_swelling, "unpacked_too_large"),
        (lambda path: path.write_bytes(b"PK\x03\x04 cut off"), "unreadable_zip"),
        (lambda path: path.write_bytes(b"hello"), "not_a_zip"),
        (lambda path: zipfile.ZipFile(path, "w").close(), "empty_study"),
    ],
)
def test_a_zip_that_can_not_be_trusted_is_refused(tmp_path, monkeypatch, write, reason):
    monkeypatch.setattr(archives, "MAX_UNPACKED_BYTES", 1_000_000)
    write(tmp_path / "s.zip")
    with pytest.raises(InputError) as caught, unpacked(tmp_path / "s.zip"):
        pass
    assert caught.value.reason == reason
