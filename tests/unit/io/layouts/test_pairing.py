import pytest

from lesionflow.io.layouts.pairing import pair


def pairs(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    found = pair(folder, [folder / name for name in names])
    return {p.key: (sorted(p.images), sorted(m[:2] for m in p.masks), len(p.doubles)) for p in found}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["images/a_1.png", "images/a_2.png", "masks/a_2.png", "masks/a_1.png"], {"a_1": ([""], [("", "a_1")], 0)}),
        (["x/images/f0.png", "x/masks/1b.png", "x/masks/2c.png"], {"x/f0": ([""], [("", "1b"), ("", "2c")], 0)}),
        (["p/s_1.tif", "p/s_1_mask.tif"], {"p/s_1": ([""], [("", "s_1_mask")], 0)}),
        (["case_1/imaging.nii.gz", "case_1/segmentation.nii.gz"], {"case_1/": ([""], [("", "segmentation")], 0)}),
        (["p/CT_image.nii", "p/CT_mask.nii", "p/MR_T1_image.nii"], {"p/": (["CT", "T1"], [("CT", "CT_mask")], 0)}),
        (["a-PET.mha", "a-CT.mha", "a-seg.mha"], {"a": (["CT", "PET"], [("", "a-seg")], 0)}),
        (["image/phantom.nii.gz", "mask/mask.nii.gz"], {"phantom": ([""], [("", "mask")], 0)}),
        (["p/ct.nrrd", "p/segmentations/liver.nrrd"], {"p/": (["CT"], [("", "liver")], 0)}),
        (["segmentation/images/a.png", "segmentation/labels/a.png"], {"segmentation/a": ([""], [("", "a")], 0)}),
        (["masks/a.png"], {"a": ([], [("", "a")], 0)}),
        (["images/a.png", "images/a.jpg"], {"a": ([""], [], 1)}),
        (["imagesTs/a.png", "imagesTr/b.png"], {"b": ([""], [], 0)}),
    ],
)
def test_conventions_of_names(tmp_path, names, expected):
    found = pairs(tmp_path, *names)
    assert {key: found[key] for key in expected} == expected


def test_images_without_masks_of_their_own_get_nobody_elses(tmp_path):
    assert pairs(tmp_path, "images/a.png", "images/b.png", "masks/c.png") == {
        "a": ([""], [], 0),
        "b": ([""], [], 0),
        "c": ([], [("", "c")], 0),
    }
