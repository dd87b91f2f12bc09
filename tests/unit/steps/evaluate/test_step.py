"""The step `evaluate` and all that reads what it wrote: `compare`, `models`, `register`; on models whose scores are known."""

import json
import re
from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lesionflow.cli import main
from lesionflow.data.volume import Mask
from lesionflow.errors import ArtifactError, GeometryMismatchError
from lesionflow.evaluation.promotion_documents.decision_page import BESIDE
from lesionflow.evaluation.scoring import score_case
from lesionflow.inference import Segmenter
from lesionflow.io.images.nifti import write_mask
from lesionflow.io.stores.cases import mask_path, read_case
from lesionflow.steps.compare import compare_models
from support.bundles import constant_bundle
from support.evaluated import DICE_OF_ALL, EvaluationWorkspace, two_evaluated_models

SETTINGS = {"confidence_level": 0.95}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A champion that finds nothing, and a later model that calls every voxel tumor."""
    with pytest.MonkeyPatch.context() as patch:
        yield two_evaluated_models(tmp_path_factory.mktemp("evaluated"), patch)


@pytest.fixture(autouse=True)
def _store(workspace, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", workspace.uri)
    monkeypatch.setenv("LESIONFLOW_DEVICE", "cpu")


def _json(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_figures_are_those_of_the_known_masks(workspace) -> None:
    metrics = _json(workspace.folder / "all" / "metrics.json")
    assert metrics["dice"]["mean"] == pytest.approx(DICE_OF_ALL)
    assert metrics["recall"]["mean"] == 1.0
    assert metrics["precision"]["mean"] == pytest.approx(2160 / 11200)
    assert metrics["absolute_volume_error_ml"]["mean"] == pytest.approx((11200 - 2160) * 1.2e-3)
    assert (metrics["dice"]["n"], metrics["lesion_recall_small"]) == (
        10,
        {
            **dict.fromkeys(("mean", "low", "high")),
            "n": 0,
            "n_undefined": 10,
            "n_cases": 10,
            "n_missed": 0,
            "n_false_alarms": 0,
        },
    )
    target = metrics["targets"]["tumor"]
    medium = target["by_size"]["medium"]
    assert (medium["n_reference"], medium["recall"]["mean"], medium["n_predicted"]) == (10, 1.0, 0)
    assert target["froc"]["n_lesions"] == 10
    assert set(target["froc"]["sensitivity_at"].values()) == {1.0}
    nothing = _json(workspace.folder / "none" / "metrics.json")
    assert (nothing["dice"]["mean"], nothing["hd95_mm"]["n_missed"]) == (0.0, 10)
    assert set(nothing["targets"]["tumor"]["froc"]["sensitivity_at"].values()) == {0.0}


def test_groups_of_scanners_are_shown_with_their_number(workspace) -> None:
    groups = _json(workspace.folder / "all" / "metrics.json")["targets"]["tumor"]["subgroups"]
    seen = [(g["by"], g["group"], g["n_patients"]) for g in groups]
    assert [s for s in seen if s[0] == "scanner"] == [
        ("scanner", "Kneebone Imaging", 5),
        ("scanner", "Patella & Sons", 5),
    ]
    assert sum(n for by, _, n in seen if by == "site") == 10
    assert groups[0]["estimates"]["dice"]["mean"] == pytest.approx(DICE_OF_ALL)


def test_the_summary_is_nnunets(workspace) -> None:
    summary = _json(workspace.folder / "all" / "summary.json")
    assert set(summary) == {"metric_per_case", "mean", "foreground_mean"}
    assert len(summary["metric_per_case"]) == 10
    assert summary["mean"]["1"]["Dice"] == pytest.approx(DICE_OF_ALL)
    assert summary["foreground_mean"]["TP"] == 2160


def test_against_the_champion_it_says_by_how_much_and_how_sure(workspace) -> None:
    differences = _json(workspace.folder / "all" / "metrics.json")["targets"]["tumor"]["against_champion"]
    dice = next(d for d in differences if d["metric"] == "dice")
    assert (dice["first"], dice["second"], dice["gain"]) == pytest.approx((0.0, DICE_OF_ALL, DICE_OF_ALL))
    # All ten better: 2 of 1,024 sign patterns are as large.
    assert dice["p"] == pytest.approx(2 / 1024)
    # A mask of nothing is as far off as the image is wide (15 x 32 x 28 mm), the other as the farthest corner of the box.
    hd95 = next(d for d in differences if d["metric"] == "hd95_mm")
    assert hd95["first"] == pytest.approx(2033**0.5)
    assert (hd95["n_undefined_for_one"], hd95["n_worst_first"], hd95["n_worst_second"]) == (0, 10, 0)
    assert hd95["gain"] > 0
    assert (
        _json(workspace.folder / "none" / "evaluation.json")["against_champion"]
        == "There is no champion to compare with yet."
    )


def test_the_report_needs_nothing_beside_it_and_shows_all_parts(workspace) -> None:
    page = (workspace.folder / "all" / "report.html").read_text(encoding="utf-8")
    assert len(page) < 3_000_000
    # The decision is taken later, on a page of its own.
    assert re.findall(r"(?:src|href)=['\"](?!data:|#)([^'\"]*)", page) == [BESIDE]
    assert not re.search(r"https?://", re.sub(r"base64,[A-Za-z0-9+/=]+", "", page))
    for part in ("Dice", "0.323", "Against the champion, lesionflow-knees version 1", "better by 0.323", "Lesions by size",
                 "FROC", "For whom", "Patella &amp; Sons", "Worst cases", "The plan", "Bland-Altman"):  # fmt: skip
        assert part in page, part
    assert page.count("<figure class='wide' id='case-") == 2
    assert "its curves are not here" in page


def test_a_run_shows_a_reviewer_everything(workspace) -> None:
    client = mlflow.MlflowClient(workspace.uri)
    run = client.get_run(workspace.all.card.run_id)
    assert run.data.metrics["test/dice"] == pytest.approx(DICE_OF_ALL)
    assert run.data.metrics["test/dice_low"] <= run.data.metrics["test/dice"] <= run.data.metrics["test/dice_high"]
    assert run.data.metrics["test/lesion_recall"] == 1.0
    assert run.data.metrics["test/froc_score"] == 1.0
    assert "test/lesion_recall_small" not in run.data.metrics
    assert run.data.tags["against_champion"].startswith("better by 0.323 [0.323, 0.323], p = 0.0")
    note = run.data.tags["mlflow.note.content"].splitlines()
    assert "| Dice | 0.323 | 0.323 to 0.323 | 10 |  |  |" in note
    nothing = client.get_run(workspace.none.card.run_id).data
    assert (nothing.metrics["test/n_missed_cases"], nothing.metrics["test/hd95_mm_n_cases"]) == (10, 0)
    assert "test/hd95_mm" not in nothing.metrics
    assert "over 0 of 10 cases; 10 missed" in nothing.tags["mlflow.note.content"]
    assert note[-1].startswith("**Against the champion:** better by 0.323")
    assert run.data.tags["container"] == "registry.example/lesionflow:1"
    assert [i.dataset.name for i in run.inputs.dataset_inputs] == ["knees-test"]
    files = {f.path for f in client.list_artifacts(run.info.run_id)}
    assert {"test_cases.json", "test_lesions.json", "against_champion.json", "evaluation", "images"} <= files
    assert note[0].startswith(f"[All runs side by side](#/experiments/{run.info.experiment_id}/runs?")
    view = json.loads(client.get_experiment(run.info.experiment_id).tags["mlflow.sharedViewState.lesionflow"])
    shown = [column for column in view["selectedColumns"] if column.startswith("metrics.")]
    assert set(shown[:3]) == {"metrics.`test/dice`", "metrics.`test/dice_low`", "metrics.`test/dice_high`"}
    assert all(column.removeprefix("metrics.").strip("`") in run.data.metrics for column in shown)
    mlflow.set_tracking_uri(workspace.uri)
    table = client.load_table(run.info.experiment_id, "test_cases.json", [run.info.run_id])
    assert list(table)[:2] == ["case_id", "dice"]
    assert {"patient_id", "target"} <= set(table)
    images = {f.path for f in client.list_artifacts(run.info.run_id, "images")}
    assert sum(path.startswith("images/cases~") for path in images) >= len(workspace.test)


def test_run_again_it_is_the_champion_itself(workspace, tmp_path) -> None:
    workspace.evaluate(workspace.none, "again", n_worst_cases=1)
    assert _json(workspace.folder / "again" / "evaluation.json")["against_champion"].startswith(
        "This model is the champion"
    )


def test_a_bundle_of_an_unknown_run_is_evaluated_and_not_logged(workspace, caplog) -> None:
    folder = workspace.evaluate(constant_bundle(9.0, run_id="0" * 32), "stranger")
    assert "nothing is logged" in caplog.text
    assert (folder / "report.html").exists()


def test_a_champion_scored_on_another_test_set_is_not_compared_with(workspace, monkeypatch) -> None:
    table = workspace.table.copy()
    table.loc[5, "mask_sha256"] = "e" * 64
    monkeypatch.setattr("lesionflow.steps.evaluate.step.read_table", lambda _: table)
    folder = workspace.evaluate(constant_bundle(9.0), "moved")
    about = _json(folder / "evaluation.json")
    assert "was scored on another test set" in about["against_champion"]
    assert "was scored on another test set" in (folder / "report.html").read_text(encoding="utf-8")
    with pytest.raises(ArtifactError, match="other images or outlines"):
        compare_models(str(folder), str(workspace.folder / "all"), workspace.uri, **SETTINGS)


def test_a_case_that_cannot_be_predicted_is_an_error_never_a_skip(workspace, tmp_path) -> None:
    other = EvaluationWorkspace(tmp_path)
    image = other.folder / "cases" / "imagesTr" / f"{other.test[3]}_0000.nii.gz"
    image.unlink()
    with pytest.raises(Exception, match=other.test[3]):
        other.evaluate(constant_bundle(9.0), "broken")
    assert not (other.folder / "broken").exists()


def test_a_test_case_without_an_outline_is_an_error(workspace, tmp_path) -> None:
    other = EvaluationWorkspace(tmp_path)
    mask_path(other.folder / "cases", other.test[0]).unlink()
    with pytest.raises(ArtifactError, match=f"reference mask for case {other.test[0]}"):
        other.evaluate(constant_bundle(9.0), "blind")


def test_masks_on_two_grids_are_refused(workspace) -> None:
    case = read_case(workspace.folder / "cases", workspace.test[0])
    geometry = case.volume.geometry
    moved = type(geometry).from_parts(geometry.shape, geometry.spacing_mm, (11.0, -20.0, 5.0))
    segmenter = Segmenter(constant_bundle(9.0), device="cpu")
    found = replace(segmenter.segment(case.volume, case_id="c"), mask=Mask(case.reference_mask.labels, moved))
    with pytest.raises(GeometryMismatchError, match=workspace.test[0]):
        score_case(case, found, constant_bundle(9.0))


def test_models_list_shows_scores_intervals_and_the_comparison(workspace, capsys) -> None:
    assert main(["models", "list"]) == 0
    said = capsys.readouterr().out
    assert "0.3234 [0.3234 to 0.3234]" in said
    assert "better by 0.323 [0.323, 0.323], p = 0.0" in said
    assert main(["models", "show", "challenger"]) == 0
    assert json.loads(capsys.readouterr().out)["tags"]["test_dice"] == "0.3234"


def test_pictures_of_cases_are_pngs_with_both_contours(workspace) -> None:
    picture = Image.open(workspace.folder / "all" / "overlays" / f"{workspace.test[0]}.png").convert("RGB")
    colors = {color for _, color in picture.getcolors(1 << 24)}
    assert any(abs(r - 0x56) < 24 and abs(g - 0xB4) < 24 and abs(b - 0xE9) < 24 for r, g, b in colors)
    assert any(abs(r - 0xE6) < 24 and abs(g - 0x9F) < 24 and b < 40 for r, g, b in colors)


def test_an_empty_case_is_reported_as_undefined_not_as_zero(tmp_path, monkeypatch) -> None:
    other = EvaluationWorkspace(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", other.uri)
    case = read_case(other.folder / "cases", other.test[0])
    write_mask(
        mask_path(other.folder / "cases", other.test[0]),
        Mask(np.zeros_like(case.reference_mask.labels), case.volume.geometry),
    )
    folder = other.evaluate(constant_bundle(-9.0), "nothing")
    scores = pd.read_parquet(folder / "cases.parquet").set_index("case_id")
    assert scores.loc[other.test[0], "dice"] == 1.0
    assert np.isnan(scores.loc[other.test[0], "lesion_recall"])
    assert _json(folder / "metrics.json")["lesion_recall"]["n_undefined"] == 1
    assert "no tumor in the reference" not in (folder / "report.html").read_text(
        encoding="utf-8"
    )  # it is in the picture
