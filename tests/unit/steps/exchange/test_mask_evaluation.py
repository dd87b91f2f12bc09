"""Masks of another method on the locked test set: figures by hand, what is missing by name, the ledger first."""

import json
import shutil

import numpy as np
import pytest

from lesionflow.data.split import Fold, Split
from lesionflow.errors import ArtifactError, GeometryMismatchError, InputError
from lesionflow.evaluation.results import Sampling
from lesionflow.evaluation.statistics.test_set_looks import looks_spent
from lesionflow.io.images.nifti import read_mask, write_mask
from lesionflow.io.stores.cases import mask_path
from lesionflow.io.stores.evaluations import read_evaluation
from lesionflow.io.stores.ledger import ledger_path, read_ledger
from lesionflow.io.stores.splits import write_split
from lesionflow.steps.exchange import mask_evaluation
from lesionflow.steps.exchange.mask_evaluation import evaluate_masks
from support.case_folders import write_cases

NOBODY = "There is no champion."


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """Four test cases; the masks of one are shifted by a half, of the others right."""
    work = tmp_path_factory.mktemp("work")
    table = write_cases(work / "cases", 6)
    cases, patients = list(table["case_id"]), tuple(table["patient_id"])
    fold = Fold(train=tuple(cases[:1]), validation=tuple(cases[1:2]))
    write_split(
        work / "splits.json",
        Split(
            seed=1,
            fold=0,
            folds=(fold,),
            test=tuple(cases[2:]),
            test_patients=patients[2:],
            other_patients=patients[:2],
        ),
    )
    (work / "masks").mkdir()
    for case_id in cases[2:]:
        shutil.copyfile(mask_path(work / "cases", case_id), work / "masks" / f"{case_id}.nii.gz")
    right = read_mask(work / "masks" / f"{cases[2]}.nii.gz", name="c")
    half = right.labels.copy()
    half[:, :, 25:] = 0
    write_mask(work / "masks" / f"{cases[2]}.nii.gz", type(right)(half, right.geometry))
    return work


def evaluate(work, masks, output, **changes):
    told = {
        "name": "theirs",
        "rival": NOBODY,
        "sampling": Sampling(50, 0.95, 1),
        "n_worst_cases": 1,
        "missing": "refuse",
        "copies": "allow",
    }
    return evaluate_masks(
        masks, work / "cases", work / "splits.json", output, "sqlite:///none.db", **{**told, **changes}
    )


@pytest.fixture
def masks(work, tmp_path):
    return shutil.copytree(work / "masks", tmp_path / "masks")


def test_figures_are_those_by_hand_and_lie_as_an_evaluation_that_can_be_compared(work, masks, tmp_path):
    found = evaluate(work, masks, tmp_path / "out")
    # Of 30 columns 15 were found: Dice 2 x 15 / (15 + 30).
    assert found.results["tumor"].estimates["dice"].mean == pytest.approx((2 / 3 + 3) / 4)
    stored = read_evaluation(tmp_path / "out", "theirs")
    assert stored.cases["dice"].tolist() == pytest.approx([2 / 3, 1, 1, 1])
    page = (tmp_path / "out/report.html").read_text()
    assert "Masks of theirs on knees" in page
    assert NOBODY in page
    assert "3 of 4 masks equal the reference voxel by voxel" in page
    assert sorted(path.name for path in (tmp_path / "out/overlays").iterdir()) == [
        f"c-{n:06d}.png" for n in range(2, 6)
    ]
    better = evaluate(work, work / "masks", tmp_path / "again", rival=stored)
    assert {d.metric for d in better.differences} >= {"dice"}
    assert next(d for d in better.differences if d.metric == "dice").gain == 0


@pytest.fixture
def without_pictures(monkeypatch):
    """Pictures take most of the time; one test draws them."""
    monkeypatch.setattr(mask_evaluation, "overlay_planes", lambda *_: b"")
    monkeypatch.setattr(mask_evaluation, "_plots", lambda _, results: {target: [] for target in results})
    monkeypatch.setattr(mask_evaluation, "render_report", lambda _: "")


@pytest.mark.usefixtures("without_pictures")
def test_a_missing_mask_is_named_or_counts_as_empty(work, masks, tmp_path):
    (masks / "c-000003.nii.gz").unlink()
    before = read_ledger(ledger_path(work / "splits.json"))
    with pytest.raises(InputError, match="each of the 4 test cases, found none for c-000003") as caught:
        evaluate(work, masks, tmp_path / "out")
    assert caught.value.reason == "missing_mask"
    assert read_ledger(ledger_path(work / "splits.json")) == before
    found = evaluate(work, masks, tmp_path / "out", missing="empty")
    assert found.missing == ("c-000003",)
    assert found.results["tumor"].n_missed_cases == 1
    assert json.loads((tmp_path / "out/evaluation.json").read_text())["missing"] == ["c-000003"]


@pytest.mark.usefixtures("without_pictures")
def test_the_read_stands_in_the_ledger_first_and_the_same_masks_are_one_look(work, masks, tmp_path, monkeypatch):
    path = ledger_path(work / "splits.json")
    path.unlink(missing_ok=True)
    for _ in range(2):
        evaluate(work, masks, tmp_path / "out")
    entries = read_ledger(path)
    digest = entries[0].facts["test_set_sha256"]
    assert [entry.facts["step"] for entry in entries] == ["evaluate --masks"] * 2
    assert looks_spent(entries, digest) == 1

    def killed(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(mask_evaluation, "read_foreign_mask", killed)
    with pytest.raises(KeyboardInterrupt):
        evaluate(work, masks, tmp_path / "out")
    assert len(read_ledger(path)) == 3


@pytest.mark.usefixtures("without_pictures")
def test_a_mask_on_another_grid_is_refused_by_its_case(work, masks, tmp_path):
    mask = read_mask(masks / "c-000004.nii.gz", name="c")
    write_mask(
        masks / "c-000004.nii.gz",
        type(mask)(mask.labels[1:], mask.geometry.cut((slice(1, 5), slice(0, 40), slice(0, 56)))),
    )
    with pytest.raises(GeometryMismatchError, match="mask of case c-000004"):
        evaluate(work, masks, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("without_pictures")
def test_nnunets_labels_beside_are_told_by_name(work, masks, tmp_path):
    for path in masks.glob("*.nii.gz"):
        mask = read_mask(path, name="c")
        write_mask(path, type(mask)(np.where(mask.labels, 1, 0), mask.geometry))
    (masks / "dataset.json").write_text(json.dumps({"labels": {"background": 0, "tumor": 1}}))
    assert evaluate(work, masks, tmp_path / "out").results["tumor"].n_missed_cases == 0
    (masks / "dataset.json").write_text(json.dumps({"labels": {"background": 0, "cyst": 1}}))
    with pytest.raises(ArtifactError, match="this workspace's labels tumor, found cyst"):
        evaluate(work, masks, tmp_path / "out")


@pytest.mark.usefixtures("without_pictures")
def test_the_reference_as_masks_is_refused_and_counted_where_it_is_allowed(work, masks, tmp_path):
    with pytest.raises(InputError, match="3 of 4 masks equal the reference"):
        evaluate(work, masks, tmp_path / "out", copies="refuse")
    assert not (tmp_path / "out").exists()
    found = evaluate(work, masks, tmp_path / "out")
    assert found.copies.of_reference == ("c-000003", "c-000004", "c-000005")


@pytest.mark.usefixtures("without_pictures")
def test_a_model_of_another_test_set_is_not_compared_with(work, masks, tmp_path):
    evaluate(work, masks, tmp_path / "out")
    stored = read_evaluation(tmp_path / "out", "theirs")._replace(test_set_sha256="0")
    found = evaluate(work, masks, tmp_path / "again", rival=stored)
    assert found.differences == ()
    assert "another test set" in found.note
