import json

import numpy as np
import pytest

from lesionflow.data.dataset import Dataset
from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask, Volume
from lesionflow.errors import InputError
from lesionflow.io.images.nifti import write_mask, write_volume
from lesionflow.io.layouts.nnunet import detect, find_studies, read_study
from lesionflow.io.notes import collected
from lesionflow.io.rules import ReadingRules, SeriesRule
from lesionflow.io.stores.cases import image_path, mask_path, write_dataset

GRID = Geometry.from_parts((3, 4, 5), (2.0, 0.8, 0.5), (1.0, 2.0, 3.0))
RULES = ReadingRules({"CT": SeriesRule("CT"), "PET": SeriesRule("PT")}, "CT", {"tumor": 1})
LABELS = np.arange(60, dtype=np.uint8).reshape(3, 4, 5) % 3


@pytest.fixture
def raw(tmp_path):
    """Channels in another order than ours, labels with other values."""
    declare(tmp_path, channel_names={"0": "PET", "1": "CT"}, labels={"background": 0, "organ": 1, "tumor": 2})
    for case in ("lung_001", "lung_002_0000"):
        for number in range(2):
            array = np.full((1, 3, 4, 5), 10.0 * number)
            write_volume(tmp_path / "imagesTr" / f"{case}_{number:04d}.nii.gz", Volume(array, GRID))
        write_mask(tmp_path / "labelsTr" / f"{case}.nii.gz", Mask(LABELS, GRID))
    return tmp_path


def declare(folder, **values):
    (folder / "dataset.json").write_text(json.dumps(values))


def read(folder, rules=RULES):
    return read_study(next(find_studies(folder)), rules, name="c-1")


def refusal(folder, rules=RULES):
    with pytest.raises(InputError) as caught:
        read(folder, rules)
    assert "c-1" in str(caught.value)
    return caught.value.reason


def test_cases_are_found_by_their_names(raw):
    assert detect(raw)
    assert [source.key for source in find_studies(raw)] == ["lung_001", "lung_002_0000"]


def test_channels_and_labels_come_by_name(raw):
    study = read(raw)
    assert {name: float(v.array.max()) for name, v in study.volumes.items()} == {"CT": 10.0, "PET": 0.0}
    np.testing.assert_array_equal(study.mask.labels, LABELS == 2)
    assert study.mask.geometry.same_grid(GRID)


def test_a_case_whose_name_ends_like_a_channel_is_not_confused(raw):
    _, second = find_studies(raw)
    assert float(read_study(second, RULES, name="c-1").volumes["CT"].array.max()) == 10.0


def test_uncompressed_files_are_read(raw):
    for path in list(raw.rglob("lung_001*.nii.gz")):
        (volume, write) = (path, write_mask) if path.parent.name == "labelsTr" else (path, write_volume)
        value = Mask(LABELS, GRID) if write is write_mask else Volume(np.full((1, 3, 4, 5), 7.0), GRID)
        volume.unlink()
        write(path.with_suffix(""), value)
    assert float(read(raw).volumes["CT"].array.max()) == 7.0


def test_a_channel_that_the_dataset_does_not_name_is_refused(raw):
    declare(raw, channel_names={"0": "PET", "1": "MR"}, labels={"background": 0, "organ": 1, "tumor": 2})
    assert refusal(raw) == "missing_channel"


def test_a_channel_without_a_file_is_refused(raw):
    (raw / "imagesTr" / "lung_001_0001.nii.gz").unlink()
    assert refusal(raw) == "missing_channel"


def test_a_case_without_labels_is_refused(raw):
    (raw / "labelsTr" / "lung_001.nii.gz").unlink()
    assert refusal(raw) == "no_outline"


def test_a_label_that_nobody_declares_is_refused(raw):
    declare(raw, channel_names={"0": "PET", "1": "CT"}, labels={"background": 0, "tumor": 2})
    assert refusal(raw) == "unknown_label"


def test_a_dataset_without_our_label_is_refused(raw):
    declare(raw, channel_names={"0": "PET", "1": "CT"}, labels={"background": 0, "organ": 1, "cyst": 2})
    assert refusal(raw) == "no_matching_outline"


@pytest.mark.parametrize("content", ["{", "[]", '{"labels": {}}', '{"channel_names": 3, "labels": {}}'])
def test_a_broken_declaration_is_refused(raw, content):
    (raw / "dataset.json").write_text(content)
    assert refusal(raw) == "broken_dataset_json"


def test_a_voxel_that_is_no_number_is_refused(raw):
    array = np.zeros((1, 3, 4, 5))
    array[0, 1, 1, 1] = np.nan
    write_volume(raw / "imagesTr" / "lung_001_0001.nii.gz", Volume(array, GRID))
    assert refusal(raw) == "non_finite_voxels"


def test_the_folder_that_ingest_writes_can_be_read_again(tmp_path):
    """Regions are declared as lists of labels there."""
    dataset = Dataset(
        name="d", channels={"CT": "ct"}, labels={"edema": 1, "core": 2}, regions={"whole": (1, 2), "core": (2,)}
    )
    write_dataset(tmp_path, dataset, 1)
    write_volume(image_path(tmp_path, "c-7", 0), Volume(np.zeros((1, 3, 4, 5)), GRID))
    write_mask(mask_path(tmp_path, "c-7"), Mask(LABELS, GRID))
    rules = ReadingRules({"CT": SeriesRule("CT")}, "CT", dataset.labels)
    np.testing.assert_array_equal(read(tmp_path, rules).mask.labels, LABELS)


def test_slices_and_examinations_are_of_one_patient(tmp_path):
    declare(tmp_path, channel_names={"0": "CT"}, labels={"background": 0, "tumor": 1})
    for case in ("10035_100", "10035_101", "P7_FU1", "P7", "lung_001", "lung_002"):
        (tmp_path / "imagesTr").mkdir(exist_ok=True)
        (tmp_path / "imagesTr" / f"{case}_0000.png").touch()
    patients = [source.patient_key for source in find_studies(tmp_path)]
    assert patients == ["10035", "10035", "P7", "P7", "lung_001", "lung_002"]


def test_a_label_whose_image_is_absent_is_named(raw):
    for path in (raw / "imagesTr").glob("lung_001_*"):
        path.unlink()
    faults = {source.key: source.fault and source.fault[0] for source in find_studies(raw)}
    assert faults == {"lung_001": "mask_without_image", "lung_002_0000": None}


def test_what_a_dataset_marks_to_be_ignored_is_not_known(raw):
    declare(raw, channel_names={"0": "PET", "1": "CT"}, labels={"background": 0, "tumor": 1, "ignore": 2})
    np.testing.assert_array_equal(read(raw).mask.labels, np.choose(LABELS, (0, 1, 255)))


def test_a_region_is_no_number(raw):
    """The tumor is what lies in the inner region, whatever its number; of the outer one no rule speaks."""
    declare(raw, channel_names={"0": "PET", "1": "CT"}, labels={"background": 0, "organ": [1, 2], "tumor": [1]})
    with collected() as notes:
        np.testing.assert_array_equal(read(raw).mask.labels, LABELS == 1)
    assert [note.message.split("takes ")[1].split(":")[0] for note in notes if note.code == "dropped_structure"] == [
        "organ (20 voxels)"
    ]


def test_files_that_the_declaration_lists_are_read_whatever_lies_beside_them(raw):
    """`imagesTr/lung_001_0001` is 10 everywhere, and the listed CT 7: the list is right."""
    write_volume(raw / "ext" / "scan9.nii.gz", Volume(np.full((1, 3, 4, 5), 7.0), GRID))
    images = ["imagesTr/lung_001_0000.nii.gz", "./ext/scan9.nii.gz"]
    content = json.loads((raw / "dataset.json").read_text())
    content["dataset"] = {"lung_001": {"images": images, "label": "labelsTr/lung_001.nii.gz"}}
    declare(raw, **content, numTraining=2)
    with collected() as notes:
        study = read(raw)
    assert [note.code for note in notes][:1] == ["cases_not_as_declared"]
    assert {name: float(v.array.max()) for name, v in study.volumes.items()} == {"CT": 7.0, "PET": 0.0}
    np.testing.assert_array_equal(study.mask.labels, LABELS == 2)
    assert [source.key for source in find_studies(raw)] == ["lung_001"]


def test_a_listed_data_set_without_images_tr_is_recognized(raw):
    content = json.loads((raw / "dataset.json").read_text())
    (raw / "imagesTr").rename(raw / "ext")
    assert not detect(raw)
    images = [f"ext/lung_001_{n:04d}.nii.gz" for n in range(2)]
    declare(raw, **content, dataset={"lung_001": {"images": images, "label": "labelsTr/lung_001.nii.gz"}})
    assert detect(raw)
    assert float(read(raw).volumes["CT"].array.max()) == 10.0
