from pathlib import Path

import pytest

from lesionflow.io.layouts.pairs.file_roles import name_files


def told(*names):
    files = name_files(Path("/d"), [Path("/d") / name for name in names])
    return {str(f.path.relative_to("/d")): (f.role, f.box, f.name, f.channel) for f in files}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["images/a_CT.nii", "masks/a.nii"], {"images/a_CT.nii": ("image", "", "a", "CT"), "masks/a.nii": ("mask", "", "a", "")}),
        (["scans/a.nii", "nodule_mask/a.nii"], {"nodule_mask/a.nii": ("mask", "nodule", "a", "")}),
        (["original/1.png", "GT/1.png"], {"original/1.png": ("image", "", "1", ""), "GT/1.png": ("mask", "", "1", "")}),
        (["img/1.png", "1st_manual/1_manual1.gif"], {"1st_manual/1_manual1.gif": ("mask", "1st", "1_manual1", "")}),
        (["a.png", "a_mask.png", "a_mask_1.png"], {"a_mask.png": ("mask", "", "a", ""), "a_mask_1.png": ("maybe", "", "a_mask_1", "")}),
        # A data set's own name says nothing of its files.
        (["D_with_GT/x/a.png", "D_with_GT/x/a_mask.png"], {"D_with_GT/x/a.png": ("image", "D_with_GT/x", "a", "")}),
        (["GT_1/ct.nii", "GT_1/labels/l.nii", "b/ct.nii"], {"GT_1/ct.nii": ("image", "GT_1", "", "CT")}),
        (["segmentation/a.png", "segmentation/a_mask.png"], {"segmentation/a.png": ("image", "segmentation", "a", "")}),
        (["ROI_5.png", "ROI_5_mask.png", "ROI_6.png"], {"ROI_5.png": ("image", "", "ROI_5", ""), "ROI_6.png": ("image", "", "ROI_6", "")}),
        # BIDS: subject and session alone say where a file belongs.
        (
            ["sub-1/ses-2/dwi/sub-1_ses-2_dwi.nii", "derivatives/p/sub-1/ses-2/sub-1_ses-2_space-x_label-lesion_roi.nii"],
            {
                "sub-1/ses-2/dwi/sub-1_ses-2_dwi.nii": ("image", "", "sub-1_ses-2", "DWI"),
                "derivatives/p/sub-1/ses-2/sub-1_ses-2_space-x_label-lesion_roi.nii": ("mask", "", "sub-1_ses-2", ""),
            },
        ),
        (["sub-1_T1w_label-lesion_roi.nii"], {"sub-1_T1w_label-lesion_roi.nii": ("mask", "", "sub-1", "T1")}),
        (["imagesTs/a.png", "labelsTs/a.png"], {}),
    ],
)  # fmt: skip
def test_what_names_and_folders_say(names, expected):
    found = told(*names)
    assert {name: found[name] for name in expected} == expected
    if not expected:
        assert not found


def test_keys_stay_what_they_were():
    """Pseudonyms of cases are made of them: `images` and its like are no part, other folders are."""
    names = ["p/images/a_CT.nii", "original/1.png", "sub-1/anat/sub-1_T1w.nii", "case_1/imaging.nii.gz", "volume-0.nii"]
    files = name_files(Path("/d"), [Path("/d") / name for name in names])
    assert [f.key for f in files] == ["case_1/", "original/1", "p/a", "sub-1/anat/sub-1", "volume-0"]
