"""BraTS by the names and label values of each year."""

import numpy as np
import pytest
import SimpleITK

from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask, Volume
from lesionflow.errors import InputError
from lesionflow.io.images.nifti import write_mask, write_volume
from lesionflow.io.layouts.brats import find_studies, read_study
from lesionflow.io.notes import collected
from lesionflow.io.rules import ReadingRules, SeriesRule

GRID = Geometry.from_parts((3, 4, 5), (2.0, 0.8, 0.5), (1.0, 2.0, 3.0))
LABELS = {"core": 1, "edema": 2, "enhancing": 3}
OUTLINES = (("necrotic_core|non_enhancing_tumor", "core"), ("edema", "edema"), ("enhancing_tumor", "enhancing"))
RULES = ReadingRules({"FLAIR": SeriesRule("MR"), "T1c": SeriesRule("MR")}, "FLAIR", LABELS, OUTLINES)


def write(path, value, *, mask=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.full((3, 4, 5), value)
    if path.suffix == ".mha":
        image = SimpleITK.GetImageFromArray(array.astype(np.int16))
        image.SetSpacing((0.5, 0.8, 2.0))
        image.SetOrigin((1.0, 2.0, 3.0))
        SimpleITK.WriteImage(image, str(path))
    elif mask:
        write_mask(path, Mask(array, GRID))
    else:
        write_volume(path, Volume(array[None].astype(float), GRID))


YEARS = {
    "2015": (
        "BraTS/HGG/brats_tcia_pat105_1",
        "VSD.Brain.XX.O.MR_{0}.7/VSD.Brain.XX.O.MR_{0}.7.mha",
        ("Flair", "T1c", "T1"),
        "VSD.Brain_3more.XX.O.OT.9/VSD.Brain_3more.XX.O.OT.9.mha",
        {1: 1, 2: 2, 3: 1, 4: 3},
        "brats_tcia_pat105",
    ),
    "2018": (
        "HGG/Brats18_TCIA01_150_1",
        "Brats18_TCIA01_150_1_{}.nii.gz",
        ("flair", "t1ce", "t1"),
        "Brats18_TCIA01_150_1_seg.nii.gz",
        {1: 1, 2: 2, 4: 3},
        "Brats18_TCIA01_150",
    ),
    "2021": (
        "BraTS2021_00006",
        "BraTS2021_00006_{}.nii.gz",
        ("flair", "t1ce", "t1"),
        "BraTS2021_00006_seg.nii.gz",
        {1: 1, 2: 2, 4: 3},
        "BraTS2021_00006",
    ),
    "2023": (
        "BraTS-GLI-00002-000",
        "BraTS-GLI-00002-000-{}.nii.gz",
        ("t2f", "t1c", "t1n"),
        "BraTS-GLI-00002-000-seg.nii.gz",
        {1: 1, 2: 2, 3: 3, 4: 0},
        "BraTS-GLI-00002",
    ),
}


@pytest.mark.parametrize("year", YEARS)
def test_names_and_values_of_each_year(tmp_path, year):
    home, image, words, mask, values, patient = YEARS[year]
    for number, word in enumerate(words):
        write(tmp_path / home / image.format(word), number + 5)
    for value in (0, *values):
        write(tmp_path / home / mask, value, mask=True)
        (source,) = find_studies(tmp_path)
        assert (source.key, source.patient_key) == (home.rsplit("/", maxsplit=1)[-1], patient)
        study = read_study(source, RULES, name="c-1")
        assert {name: v.array[0, 0, 0, 0] for name, v in study.volumes.items()} == {"FLAIR": 5, "T1c": 6}
        assert study.volumes["FLAIR"].geometry.same_grid(GRID)
        assert np.unique(study.mask.labels).tolist() == [{0: 0, **values}[value]]


@pytest.fixture
def case(tmp_path):
    for word in ("flair", "t1ce", "seg"):
        write(tmp_path / "BraTS2021_00006" / f"BraTS2021_00006_{word}.nii.gz", 1, mask=word == "seg")
    return tmp_path / "BraTS2021_00006"


def refusal(folder):
    (source,) = find_studies(folder)
    with pytest.raises(InputError, match="c-1") as caught:
        read_study(source, RULES, name="c-1")
    return caught.value.reason


def test_a_value_that_the_year_does_not_know_is_refused(tmp_path, case):
    write(case / "BraTS2021_00006_seg.nii.gz", 3, mask=True)
    assert refusal(tmp_path) == "unknown_label"


def test_no_mask_or_two_are_refused(tmp_path, case):
    write(case / "BraTS2021_00006_ot.nii.gz", 1, mask=True)
    assert refusal(tmp_path) == "ambiguous_outlines"
    for path in (case / "BraTS2021_00006_ot.nii.gz", case / "BraTS2021_00006_seg.nii.gz"):
        path.unlink()
    assert refusal(tmp_path) == "no_outline"


def test_a_missing_or_double_channel_is_refused(tmp_path, case):
    write(case / "BraTS2021_00006_t1c.nii.gz", 1)
    assert refusal(tmp_path) == "ambiguous_image"
    for path in case.glob("*_t1c*"):
        path.unlink()
    assert refusal(tmp_path) == "missing_channel"


def test_a_mask_on_another_grid_is_refused(tmp_path, case):
    moved = Geometry.from_parts((3, 4, 5), (2.0, 0.8, 0.5), (1.0, 2.0, 3.5))
    write_mask(case / "BraTS2021_00006_seg.nii.gz", Mask(np.ones((3, 4, 5), np.uint8), moved))
    assert refusal(tmp_path) == "geometry_mismatch"


def test_cases_in_one_flat_folder_are_told_apart(tmp_path, case):
    for path in list(case.iterdir()):
        other = path.name.replace("00006", "00009")
        (tmp_path / other).write_bytes(path.read_bytes())
    assert [source.key for source in find_studies(tmp_path)] == ["BraTS2021_00006", "BraTS2021_00009"]


def test_a_cavity_is_dropped_aloud_and_never_taken_for_a_label_by_another_name(tmp_path):
    for word in ("t2f", "t1c", "seg"):
        write(tmp_path / "BraTS-GLI-00002-000" / f"BraTS-GLI-00002-000-{word}.nii.gz", 4, mask=word == "seg")
    (source,) = find_studies(tmp_path)
    with collected() as notes:
        assert not read_study(source, RULES, name="c-1").mask.labels.any()
    assert [note.code for note in notes] == ["dropped_structure"]
    assert "resection_cavity" in notes[0].message


def test_values_of_children_s_tumors_are_not_guessed(tmp_path):
    """2023: 3 is the enhancing tumor; 2024: 1 is, and 4 the edema."""
    for word in ("t2f", "t1c", "seg"):
        write(tmp_path / "BraTS-PED-00002-000" / f"BraTS-PED-00002-000-{word}.nii.gz", 1, mask=word == "seg")
    assert refusal(tmp_path) == "ambiguous_values"


def target_volume(folder, labels, outlines=()):
    case = "BraTS-MEN-RT-0001-1"
    write(folder / case / f"{case}_t1c.nii.gz", 6)
    write(folder / case / f"{case}_gtv.nii.gz", 1, mask=True)
    (source,) = find_studies(folder)
    assert (source.key, source.patient_key) == (case, "BraTS-MEN-RT-0001")
    return read_study(source, ReadingRules({"T1CE": SeriesRule("MR")}, "T1CE", labels, outlines), name="c-1")


def test_a_target_volume_is_the_label_that_a_rule_gives_it_or_the_only_one(tmp_path):
    assert np.unique(target_volume(tmp_path, {"tumor": 1}).mask.labels).tolist() == [1]
    rule = (("(?i)gtv", "lesion"),)
    assert np.unique(target_volume(tmp_path, {"organ": 1, "lesion": 2}, rule).mask.labels).tolist() == [2]


@pytest.mark.parametrize("labels", [{"edema": 1}, {"organ": 1, "lesion": 2}])
def test_a_target_volume_is_no_part_of_a_tumor_and_not_one_of_several_labels(tmp_path, labels):
    with pytest.raises(InputError) as caught:
        target_volume(tmp_path, labels)
    assert caught.value.reason == "no_matching_outline"
