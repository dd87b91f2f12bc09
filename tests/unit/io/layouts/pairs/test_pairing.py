import pytest

from lesionflow.io.layouts.pairs.pairing import pair


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


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["b (4).png", "b (4)_mask.png", "b (4)_mask_1.png"], {"b (4)": ([""], [("", "b (4)_mask"), ("", "b (4)_mask_1")], 0)}),
        (["s/p1.nii", "tumor_mask/p1.nii"], {"s/p1": ([""], [("", "p1")], 0)}),
        (["p/ct.nii", "p/lesion1/mask.nii", "p/lesion2/mask.nii"], {"p/": (["CT"], [("", "mask"), ("", "mask")], 0)}),
        (["A/images/1.png", "A/masks/1.png", "B/masks/1.png"], {"A/1": ([""], [("", "1")], 0), "B/1": ([], [("", "1")], 0)}),
        # Masks of images that are gone are not given to the image that is left.
        (["images/a.png", "masks/a.png", "masks/b.png"], {"a": ([""], [("", "a")], 0), "b": ([], [("", "b")], 0)}),
        (["images/a_1.png", "masks/a_2.png"], {"a_1": ([""], [], 0), "a_2": ([], [("", "a_2")], 0)}),
        # A lost mask's folder is no part of whose it is.
        (["image/a.nii", "nodule_mask/a.nii", "nodule_mask/b.nii"], {"b": ([], [("", "b")], 0)}),
    ],
)  # fmt: skip
def test_no_mask_is_lost_and_none_is_anothers(tmp_path, names, expected):
    found = pairs(tmp_path, *names)
    assert {key: found[key] for key in expected} == expected


def test_what_may_be_another_images_spoils_the_case(tmp_path):
    for name in ("images/p1.png", "masks/p1.png", "masks/p1_2.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (found,) = pair(tmp_path, tmp_path.rglob("*.png"))
    assert found.fault[0] == "ambiguous_pairing"


def test_parts_of_which_a_mask_was_made_are_set_aside(tmp_path):
    for name in ("imaging.nii", "segmentation.nii", "instances/kidney_instance-1_annotation-1.nii"):
        (tmp_path / "c1" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "c1" / name).touch()
    (found,) = pair(tmp_path, tmp_path.rglob("*.nii"))
    assert (found.fault, len(found.masks), len(found.aside)) == (None, 1, 1)


def test_the_better_form_of_a_channel_is_read(tmp_path):
    for name in ("SUV.nii", "PET.nii", "CT.nii", "CTres.nii", "SEG.nii"):
        (tmp_path / name).touch()
    (found,) = pair(tmp_path, tmp_path.iterdir())
    assert {channel: path.name for channel, path in found.images.items()} == {"CT": "CT.nii", "PET": "SUV.nii"}
    assert [path.name for path in found.spare] == ["CTres.nii", "PET.nii"]
