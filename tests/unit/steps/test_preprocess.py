"""The step `preprocess`: a case is made once, and again only when it, the plan or its file changed."""

import numpy as np
import pytest

from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask, Volume
from lesionflow.errors import ArtifactError, DataQualityError
from lesionflow.io.files import sha256_file
from lesionflow.io.images.nifti import read_mask, write_mask, write_volume
from lesionflow.io.stores.cases import image_path, mask_path, read_table, write_table
from lesionflow.io.stores.preprocessed import case_file, open_case, read_index
from lesionflow.steps import run_step
from support.bundles import small_plan
from support.case_folders import SHAPE, write_cases

N_CASES = 4


@pytest.fixture
def work(tmp_path, monkeypatch):
    monkeypatch.setenv("LESIONFLOW_WORKERS", "1")
    write_cases(tmp_path / "cases", N_CASES)
    (tmp_path / "plan.json").write_text(small_plan().model_dump_json())
    return tmp_path


def preprocess(work, fraction=0.0):
    inputs = {"cases": work / "cases", "plan": work / "plan.json"}
    outputs = {"preprocessed": work / "preprocessed"}
    counts = run_step("preprocess", {"max_failed_fraction": fraction}, inputs, outputs)
    return counts["n_made"], counts["n_kept"], counts["n_lost"]


def change(work, number, image):
    """Give a case other voxels; the case table knows, as `ingest` would have told it."""
    table = read_table(work / "cases")
    case_id = table["case_id"][number]
    path = image_path(work / "cases", case_id, 0)
    write_volume(path, Volume(image[None], Geometry.from_parts(SHAPE, (3.0, 0.8, 0.5), (10.0, -20.0, 5.0))))
    table.loc[number, "image_sha256"] = sha256_file(path)
    write_table(work / "cases", table)
    return case_id


def test_a_case_is_made_once(work):
    assert preprocess(work) == (N_CASES, 0, 0)
    assert preprocess(work) == (0, N_CASES, 0)


def test_arrays_are_those_of_the_plan(work):
    preprocess(work)
    case_id = read_table(work / "cases")["case_id"][0]
    stored = open_case(case_file(work / "preprocessed", case_id))
    # Clipped to -200..300, minus 40, by 60; the box of 100 HU above noise of 20 is the label.
    image, mask = stored.image[:], stored.mask[:]
    assert image[0][mask > 0].mean() == pytest.approx((100 - 40) / 60, abs=0.05)
    assert image[0][mask == 0].mean() == pytest.approx(-40 / 60, abs=0.05)
    assert (mask > 0).sum() == 3 * 24 * 30
    assert all(mask[tuple(place)] == 1 for place in stored.foreground[1])


def test_only_what_changed_is_made_again(work):
    preprocess(work)
    change(work, 2, np.random.default_rng(5).normal(0, 20, SHAPE).round().astype(np.float32))
    assert preprocess(work) == (1, N_CASES - 1, 0)


def test_another_plan_makes_all_again_and_a_batch_does_not(work):
    preprocess(work)
    for update, made in (({"batch_size": 7}, 0), ({"spacing_mm": (None, 1.0, 1.0)}, N_CASES)):
        (work / "plan.json").write_text(small_plan().model_copy(update=update).model_dump_json())
        assert preprocess(work) == (made, N_CASES - made, 0)


def test_a_corrupt_file_is_found_by_its_hash_and_made_again(work):
    preprocess(work)
    path = case_file(work / "preprocessed", read_table(work / "cases")["case_id"][1])
    good = path.read_bytes()
    for damaged in (good[:-100], good[:500] + b"\0" + good[501:] + b"\0"):
        path.write_bytes(damaged)
        assert preprocess(work) == (1, N_CASES - 1, 0)
        assert path.read_bytes() == good
    path.unlink()
    assert preprocess(work) == (1, N_CASES - 1, 0)


def test_what_no_case_needs_is_removed(work):
    preprocess(work)
    table = read_table(work / "cases")
    gone = table["case_id"][3]
    write_table(work / "cases", table[:3])
    (work / "preprocessed" / ".partial-1-x.lfc").write_bytes(b"left by a killed process")
    assert preprocess(work) == (0, 3, 0)
    assert not case_file(work / "preprocessed", gone).exists()
    assert sorted(p.suffix for p in (work / "preprocessed").iterdir()) == [".json", ".lfc", ".lfc", ".lfc"]


def test_a_constant_channel_and_a_missing_outline_lose_their_case_by_name(work):
    flat = change(work, 0, np.full(SHAPE, 7.0, np.float32))
    unoutlined = read_table(work / "cases")["case_id"][1]
    mask_path(work / "cases", unoutlined).unlink()
    assert preprocess(work, fraction=0.5) == (N_CASES, 0, 2)
    reasons = {case_id: entry.reason for case_id, entry in read_index(work / "preprocessed").items() if entry.reason}
    assert reasons == {flat: "constant_channel", unoutlined: "no_outline"}
    with pytest.raises(DataQualityError, match=r"found 2.*preprocess.max_failed_fraction"):
        preprocess(work, fraction=0.4)


def test_a_mask_on_another_grid_loses_its_case(work):
    case_id = read_table(work / "cases")["case_id"][0]
    elsewhere = Geometry.from_parts(SHAPE, (3.0, 0.5, 0.8), (10.0, -20.0, 5.0))
    write_mask(mask_path(work / "cases", case_id), Mask(np.ones(SHAPE, np.uint8), elsewhere))
    assert preprocess(work, fraction=0.3)[2] == 1
    assert read_index(work / "preprocessed")[case_id].reason == "geometry_mismatch"


def test_a_broken_plan_is_named(work):
    (work / "plan.json").write_text("{}")
    with pytest.raises(ArtifactError, match="Run plan again"):
        preprocess(work)


def test_what_is_not_known_stays_so_and_its_places_are_kept_apart(work):
    case_id = read_table(work / "cases")["case_id"][0]
    mask = read_mask(mask_path(work / "cases", case_id), name="c-1")
    labels = mask.labels.copy()
    labels[:, :, :6] = 255
    write_mask(mask_path(work / "cases", case_id), Mask(labels, mask.geometry))
    preprocess(work)
    stored = open_case(case_file(work / "preprocessed", case_id))
    known = np.asarray(stored.mask[:])
    assert {0, 1, 255} <= set(stored.foreground) <= {0, *labels.ravel().tolist()}
    for value, places in stored.foreground.items():
        assert (known[tuple(places.T)] == value).all()
    other = open_case(case_file(work / "preprocessed", read_table(work / "cases")["case_id"][1]))
    assert not {0, 255} & set(other.foreground)
