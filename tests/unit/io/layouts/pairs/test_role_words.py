import pytest

from lesionflow.io.layouts.pairs.role_words import says_mask, skeleton, structure, texts, unmasked


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("x_lesion_mask", ("x", "lesion", "mask")),
        ("LesionMask", ("lesion", "mask")),
        ("scan01LesionMask", ("scan", "01", "lesion", "mask")),
        ("JPEGImages", ("jpegimages",)),
        ("GroundTruthMask", ("ground", "truth", "mask")),
        ("label0001", ("label", "0001")),
        ("roi2", ("roi", "2")),
        ("mask (2)", ("mask", "2")),
        # What says nothing stays whole.
        ("BraTS2021_T1ce", ("brats2021", "t1ce")),
        ("1a2b3c", ("1a2b3c",)),
        ("Läsion-Maske", ("läsion", "maske")),
    ],
)
def test_names_fall_into_words(name, found):
    assert texts(name) == found


@pytest.mark.parametrize(
    "name", ["nodule_mask", "tumormask", "GT", "Ground Truth", "1_msk", "x_lbl", "x_gtvt", "SegmentationClass"]
)
def test_words_for_masks(name):
    assert says_mask(texts(name))


@pytest.mark.parametrize("name", ["Maske", "massk", "segel", "labelle", "scan", "grt", "lung_001"])
def test_words_that_look_alike_are_none(name):
    assert not says_mask(texts(name))


def test_what_is_outlined_is_what_is_left():
    assert unmasked(("tumormask", "x", "seg")) == ("tumor", "x")
    assert structure(("liver", "mask", "2", "a", "1f3b", "image")) == ("liver",)


def test_files_named_by_one_rule_have_one_skeleton():
    assert skeleton("ROI_5") == skeleton("roi_17") != skeleton("roi_5_mask")
