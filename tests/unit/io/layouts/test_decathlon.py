import json
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from lesionflow.errors import InputError
from lesionflow.io.layouts.decathlon import detect, find_studies, read_study
from lesionflow.io.rules import ReadingRules, SeriesRule

#: (x, y, z, channel), RAS: the second channel is the first and 1000.
IMAGE = np.stack([np.arange(5 * 4 * 3).reshape(5, 4, 3), 1000 + np.arange(5 * 4 * 3).reshape(5, 4, 3)], axis=-1)
LABEL = np.arange(5 * 4 * 3).reshape(5, 4, 3) % 3
AFFINE = np.diag([-0.5, -0.8, 2.0, 1.0])
RULES = ReadingRules(
    {"T1c": SeriesRule("MR"), "FLAIR": SeriesRule("MR")}, "FLAIR", {"tumor": 1}, (("(?i)cancer", "tumor"),)
)


def write(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.Nifti1Image(array.astype(np.int16), AFFINE).to_filename(path)


def declare(folder, **changes):
    content = {
        "modality": {"0": "FLAIR", "1": "t1gd"},
        "labels": {"0": "background", "1": "organ", "2": "Cancer"},
        "training": [
            {"image": f"./imagesTr/x_00{n}.nii.gz", "label": f"./labelsTr/x_00{n}.nii.gz"} for n in range(1, 3)
        ],
        **changes,
    }
    (folder / "dataset.json").write_text(json.dumps(content))


@pytest.fixture
def raw(tmp_path):
    for number in (1, 2):
        write(tmp_path / f"imagesTr/x_00{number}.nii.gz", IMAGE)
        write(tmp_path / f"labelsTr/x_00{number}.nii.gz", LABEL)
    declare(tmp_path)
    return tmp_path


def read(folder, rules=RULES):
    return read_study(next(find_studies(folder)), rules, name="c-1")


def refusal(folder, rules=RULES):
    with pytest.raises(InputError, match="c-1") as caught:
        read(folder, rules)
    return caught.value.reason


def test_the_fourth_axis_is_the_channel_and_labels_come_by_name(raw):
    assert detect(raw)
    study = read(raw)
    np.testing.assert_array_equal(study.volumes["FLAIR"].array[0], IMAGE[..., 0].T)
    np.testing.assert_array_equal(study.volumes["T1c"].array[0], IMAGE[..., 1].T)
    np.testing.assert_array_equal(study.mask.labels, LABEL.T == 2)
    # x grows to the right and y to the front there; LPS is the other way round.
    np.testing.assert_allclose(study.mask.geometry.affine[:3, :3], [[0, 0, 0.5], [0, 0.8, 0], [2.0, 0, 0]], atol=1e-6)


def test_listed_cases_are_found_and_absent_ones_named(raw):
    (raw / "labelsTr" / "x_002.nii.gz").unlink()
    assert [(s.key, s.fault and s.fault[0]) for s in find_studies(raw)] == [("x_001", None), ("x_002", "missing_file")]


def test_one_channel_has_three_axes(raw):
    write(raw / "imagesTr/x_001.nii.gz", IMAGE[..., 1])
    declare(raw, modality={"0": "CT"})
    rules = ReadingRules({"CT": SeriesRule("CT")}, "CT", {"organ": 1})
    assert read(raw, rules).volumes["CT"].array.max() == 1059


def test_what_does_not_fit_its_declaration_is_refused(raw):
    declare(raw, modality={"0": "FLAIR", "1": "T1", "2": "T1c"})
    assert refusal(raw) == "missing_channel"
    declare(raw, modality={"0": "FLAIR", "1": "T2"})
    assert refusal(raw) == "missing_channel"
    declare(raw, labels={"0": "background", "1": "organ"})
    assert refusal(raw) == "unknown_label"
    declare(raw, labels={"x": "y"})
    assert refusal(raw) == "broken_dataset_json"


@pytest.mark.parametrize("image", ["../secret.nii.gz", "/etc/passwd"])
def test_a_path_out_of_the_folder_is_not_listed(raw, image):
    declare(raw, training=[{"image": image, "label": "./labelsTr/x_001.nii.gz"}])
    assert not detect(raw)


def test_equal_names_in_folders_of_patients_are_told_apart_by_these(raw):
    listed = []
    for patient in ("p1", "p2"):
        write(raw / patient / "img.nii.gz", IMAGE)
        write(raw / patient / "seg.nii.gz", LABEL)
        listed.append({"image": f"./{patient}/img.nii.gz", "label": f"./{patient}/seg.nii.gz"})
    declare(raw, training=listed)
    assert [(s.key, s.patient_key) for s in find_studies(raw)] == [("p1/img", "p1"), ("p2/img", "p2")]


def test_a_name_that_a_rule_spells_otherwise_is_that_structure(raw):
    """As in Task01: `non-enhancing tumor`, for which a rule says `non_?enhancing.*`."""
    declare(raw, labels={"0": "background", "1": "Non-enhancing tumour", "2": "edema"})
    rules = replace(RULES, labels={"edema": 1, "rest": 4}, outlines=(("(?i)non_?enhancing.*", "rest"),))
    np.testing.assert_array_equal(read(raw, rules).mask.labels, np.choose(LABEL.T, (0, 4, 1)))


def test_a_structure_that_may_be_a_label_by_another_name_is_refused(raw):
    rules = replace(RULES, labels={"edema": 1, "Cancer": 2})
    assert refusal(raw, rules) == "unmatched_structure"
