from lesionflow.io.layouts.pairs.pairing import pair
from lesionflow.io.layouts.pairs.unnamed_masks import told_by_content, unread, without_unread
from support.pictures import CORNER, DISC, GRAY, save


def told(folder, images, masks):
    paths = [save(folder / name, GRAY) for name in images] + [save(folder / name, DISC | CORNER) for name in masks]
    found = told_by_content(pair(folder, paths))
    return {p.key: (sorted(p.images), len(p.masks), p.fault and p.fault[0]) for p in found}


def test_what_looks_like_a_mask_and_is_named_after_an_image_spoils_it(tmp_path):
    found = told(tmp_path, ["a1.png", "b1.png"], ["a1_mask.png", "a1_1stHO.png", "b1_mask.png"])
    assert found == {"a1": ([""], 1, "unnamed_mask"), "b1": ([""], 1, None)}


def test_an_image_named_after_another_is_an_image(tmp_path):
    found = told(tmp_path, ["a1.png", "a1_late.png"], ["a1_mask.png"])
    assert found == {"a1": ([""], 1, None), "a1_late": ([""], 0, None)}


def test_what_has_no_channels_name_beside_channels_is_their_mask(tmp_path):
    found = told(tmp_path, ["p/a__CT.png", "p/a__PT.png"], ["p/a.png"])
    assert found == {"p/a": (["CT", "PET"], 1, None)}


def test_a_mask_of_a_form_that_is_not_read_spoils_its_case_unless_it_is_a_copy(tmp_path):
    names = (
        "a1.png",
        "a1_mask.png",
        "a1_mask_2.npy",
        "b1.png",
        "b1_mask.png",
        "b1_mask.npy",
        "features.npy",
        "c9_mask.npy",
    )
    for name in names:
        (tmp_path / name).touch()
    left = unread(sorted(tmp_path.iterdir()), tmp_path)
    assert [path.name for path in left] == ["a1_mask_2.npy", "b1_mask.npy", "c9_mask.npy"]
    pictures = [path for path in tmp_path.iterdir() if path.suffix == ".png"]
    found = without_unread(pair(tmp_path, [*pictures, *left]), left)
    assert {p.key: (len(p.masks), p.fault and p.fault[0]) for p in found} == {
        "a1": (1, "unread_outline"),
        "b1": (1, None),
    }


def test_what_says_only_what_is_outlined_is_a_mask_where_there_is_no_other(tmp_path):
    found = told(tmp_path, ["P1.png", "P2.png"], ["P1_lesion_1.png", "P1_lesion_2.png", "P2_mask.png", "P2_tumor.png"])
    assert found == {"P1": ([""], 2, None), "P2": ([""], 1, "unnamed_mask")}


def test_an_image_of_a_lesion_is_no_mask(tmp_path):
    assert told(tmp_path, ["P1.png", "P1_lesion_1.png"], []) == {"P1": ([""], 0, None), "P1_lesion_1": ([""], 0, None)}
