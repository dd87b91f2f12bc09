from pathlib import Path

import pytest

from lesionflow.errors import InputError
from lesionflow.io.layouts.pairs.mask_choice import in_two_forms, labels_by_name, without_auxiliary
from lesionflow.io.layouts.pairs.pairing import Pair
from lesionflow.io.notes import collected
from lesionflow.io.rules import ReadingRules

ONE = ReadingRules({}, "", {"tumor": 1})


def pair(*masks, image="x1.png"):
    return Pair("x1", {"": Path("/d") / image}, [("", Path(m).stem, Path("/d") / m) for m in masks])


def chosen(found, rules=ONE):
    """Return labels by file, and what was said."""
    with collected() as notes:
        labels = labels_by_name(found, found.masks, rules, name="c-1")
    return {str(path.relative_to("/d")): label for path, label in labels.items()}, [said.code for said in notes]


@pytest.mark.parametrize(
    "masks",
    [
        ["x1_mask.png", "x1_mask_1.png"],
        ["masks/1b.png", "masks/2c.png"],
        ["masks/0a1bf99e.png", "masks/17ffe.png"],
        ["lesion_masks/x1_1.png", "lesion_masks/x1_2.png"],
        ["x1_mask.png", "x1_mask (2).png"],
    ],
)
def test_names_that_count_are_of_one_structure(masks):
    assert set(chosen(pair(*masks))[0].values()) == {1}


@pytest.mark.parametrize(
    "masks",
    [
        ["segmentations/liver.png", "segmentations/spleen.png"],
        ["x1_mask.png", "x1_lesion_mask.png"],
        ["x1_seg.png", "x1_seg_final.png"],
        ["masks/x1.png", "extra_mask/x1.png"],
        ["aggregated_AND_seg.png", "aggregated_OR_seg.png"],
        ["x1_v1.png", "x1_v2.png"],
        ["x1_mask.png", "x1_mask_v2.png"],
        ["x1_mask_rev1.png", "x1_mask_rev2.png"],
        ["x1_rater1.png", "x1_rater2.png"],
        ["reader1/x1_mask.png", "reader2/x1_mask.png"],
        ["x1_20200131.png", "x1_20210131.png"],
        ["x1_seg_2020-01-31.png", "x1_seg_2021-01-31.png"],
    ],
)
def test_names_of_several_things_need_rules(masks):
    with pytest.raises(InputError, match="c-1") as caught:
        chosen(pair(*masks))
    assert caught.value.reason == "ambiguous_outlines"


def test_rules_name_a_mask_by_its_file_what_that_adds_to_the_image_or_its_folder():
    rules = ReadingRules(
        {}, "", {"liver": 1, "tumor": 2}, (("liver", "liver"), ("tumor", "tumor"), ("1st_manual", "tumor"))
    )
    found = pair("x1_liver_mask.png", "1st_manual/x1.png", "tumor.png", "x1_spleen.png")
    labels, said = chosen(found, rules)
    assert labels == {"x1_liver_mask.png": 1, "1st_manual/x1.png": 2, "tumor.png": 2}
    assert said == ["dropped_structure", "united_structures"]


def test_masks_of_brain_body_or_field_of_view_are_left_out_unless_spoken_of():
    found = pair("x1_brain_mask.png", "x1_mask.png", "x1_brainmask.png")
    with collected() as notes:
        kept = without_auxiliary(found, ONE, name="c-1")
    assert [stem for _, stem, _ in kept] == ["x1_mask"]
    assert [said.code for said in notes] == ["auxiliary_mask"]
    assert len(without_auxiliary(found, ReadingRules({}, "", {"brain": 1}), name="c-1")) == 3


def test_versions_of_a_structure_that_a_rule_names_are_none_of_its_instances():
    rules = ReadingRules({}, "", {"tumor": 1}, (("(?i)gtv.*", "tumor"),))
    assert chosen(pair("x1_GTV_1.png", "x1_GTV_2.png"), rules)[0] == {"x1_GTV_1.png": 1, "x1_GTV_2.png": 1}
    with pytest.raises(InputError, match="versions, dates or readers") as caught:
        chosen(pair("x1_GTV_v1.png", "x1_GTV_v2.png"), rules)
    assert caught.value.reason == "ambiguous_outlines"


def test_a_date_that_all_masks_share_tells_them_not_apart():
    masks = ["x1_20200131_1.png", "x1_20200131_2.png"]
    assert set(chosen(pair(*masks))[0].values()) == {1}


@pytest.mark.parametrize(
    ("masks", "n_pairs"),
    [
        (["masks/x1.nii", "masks/x1.png"], 1),
        (["masks/x1.png", "masks/X1.png"], 1),
        (["masks/x1.png", "labels/x1.png"], 1),
        (["masks/x1.png", "masks/x1_1.png"], 0),
        (["mask_1/x1.png", "mask_2/x1.png"], 0),
        (["liver_mask/x1.png", "tumor_mask/x1.png"], 0),
        (["liver/x1.png", "tumor/x1.png"], 0),
    ],
)
def test_masks_of_one_name_are_told_from_instances_and_structures(masks, n_pairs):
    found = pair(*masks)
    assert len(list(in_two_forms(found, found.masks))) == n_pairs
