"""What nnU-Net's key `dataset` lists is taken as listed, and never out of the folder."""

import json

import pytest

from lesionflow.io.layouts.nnunet_listing import listed_cases


def listed(folder, entry):
    for name in ("ext/scan9.nii.gz", "ext/pet.nii.gz", "labels/a.nii.gz", "labels/a.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    (folder / "dataset.json").write_text(json.dumps({"dataset": entry}))
    return listed_cases(folder)


def test_images_are_channels_in_their_order(tmp_path):
    found = listed(tmp_path, {"a": {"images": ["./ext/pet.nii.gz", "ext/scan9.nii.gz"], "label": "labels/a.nii.gz"}})
    assert found["a"].fault is None
    assert found["a"].images == {0: (tmp_path / "ext/pet.nii.gz",), 1: (tmp_path / "ext/scan9.nii.gz",)}
    assert found["a"].labels == (tmp_path / "labels/a.nii.gz",)


@pytest.mark.parametrize(
    ("images", "label", "reason"),
    [
        (["../scan9.nii.gz"], "labels/a.nii.gz", "unsafe_path"),
        (["ext/scan9.nii.gz"], "/labels/a.nii.gz", "unsafe_path"),
        (["C:\\scan9.nii.gz"], "labels/a.nii.gz", "unsafe_path"),
        (["ext/gone.nii.gz"], "labels/a.nii.gz", "missing_file"),
        (["ext/scan9.nii.gz"], "labels/a.txt", "missing_file"),
        ([], "labels/a.nii.gz", "broken_dataset_json"),
        ("ext/scan9.nii.gz", "labels/a.nii.gz", "broken_dataset_json"),
        (["ext/scan9.nii.gz"], None, "broken_dataset_json"),
    ],
)
def test_what_is_listed_wrongly_is_named(tmp_path, images, label, reason):
    assert listed(tmp_path, {"a": {"images": images, "label": label}})["a"].fault[0] == reason


@pytest.mark.parametrize("entry", ["Lung", {}, ["a"], {"name": "Lung"}])
def test_another_thing_of_that_name_lists_nothing(tmp_path, entry):
    assert listed(tmp_path, entry) == {}
