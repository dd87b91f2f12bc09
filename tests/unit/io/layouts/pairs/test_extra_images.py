"""Images beside a whole case that are none of its channels are left out; other examinations are not."""

from lesionflow.io.layouts.pairs.extra_images import without_extras
from lesionflow.io.layouts.pairs.pairing import pair


def kept(folder, *names):
    """Return (channels, masks, files left out) by case."""
    found = without_extras(pair(folder, [folder / f"{name}.nii.gz" for name in names]))
    return {p.key: (sorted(p.images), len(p.masks), len(p.extra)) for p in found}


def test_images_named_after_a_whole_case_are_left_out(tmp_path):
    names = ["a-0004_FLAIR", "a-0004_T1", "a-0004_FLAIR_bias", "a-0004_SWI", "a-0004_DTI_eddy_L1", "a-0004_tumor_seg"]
    (found,) = kept(tmp_path, *names).values()
    assert found == (["FLAIR", "T1"], 1, 3)


def test_the_series_in_time_of_frames_is_left_out(tmp_path):
    found = kept(tmp_path, "p001_4d", "p001_frame01", "p001_frame01_gt", "p001_frame12", "p001_frame12_gt", "p002_4d")
    assert found == {"p001_frame01": ([""], 1, 1), "p001_frame12": ([""], 1, 0), "p002_4d": ([""], 0, 0)}


def test_other_examinations_stay_cases_without_an_outline(tmp_path):
    found = kept(tmp_path, "P1", "P1_mask", "P1_2", "P1_FU1", "P1_venous", "P12")
    assert set(found) == {"P1", "P1_2", "P1_FU1", "P1_venous", "P12"}
    assert found["P1"] == ([""], 1, 0)


def test_what_is_named_after_a_case_without_an_outline_stays(tmp_path):
    assert set(kept(tmp_path, "P1", "P1_bias")) == {"P1", "P1_bias"}
