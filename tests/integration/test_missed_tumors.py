"""A model that misses four of ten tumors and is exact on the others, beside one that finds all, four rows too low.

From networks through the steps: the tables, the report, MLflow's run and `compare` all say who missed what, and none lets the misses drop
out of a mean without their number beside it. The gate's part stands in tests/unit/evaluation.
"""

import json

import mlflow
import pytest

from lesionflow.steps.compare import compare_models
from support.bundles import threshold_bundle
from support.evaluated import EvaluationWorkspace

#: Of the ten test cases (the last of twelve), those of the last contrast are dim: four.
CONTRAST_HU = (300, 300, 120)
DIM_HU, BETWEEN_HU = 60, 210
N_DIM, N = 4, 10
#: The box has 24 rows and the shift takes 4 of them out and puts 4 beside, of which one lies beyond the image for one case.
DICE_OF_SHIFTED = (9 * 20 / 24 + 40 / 47) / 10
SHIFT_MM = 4 * 0.8
#: Of 5 x 40 x 56 voxels.
DIAGONAL_MM = ((5 * 3.0) ** 2 + (40 * 0.8) ** 2 + (56 * 0.5) ** 2) ** 0.5


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        made = EvaluationWorkspace(tmp_path_factory.mktemp("missed"), contrast_hu=CONTRAST_HU, noise_hu=5)
        patch.setenv("MLFLOW_TRACKING_URI", made.uri)
        patch.setenv("LESIONFLOW_DEVICE", "cpu")
        made.misses = made.train(threshold_bundle(BETWEEN_HU, 0), "misses-four")
        made.finds = made.train(threshold_bundle(DIM_HU, 4), "finds-all")
        for name in ("misses", "finds"):
            made.evaluate(getattr(made, name), name)
        yield made


@pytest.fixture(autouse=True)
def _store(workspace, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", workspace.uri)


def metrics_of(workspace, name):
    return json.loads((workspace.folder / name / "metrics.json").read_text(encoding="utf-8"))


def test_the_tables_hold_both_models_figures(workspace):
    misses, finds = (metrics_of(workspace, name) for name in ("misses", "finds"))
    assert misses["dice"]["mean"] == pytest.approx((N - N_DIM) / N)
    assert finds["dice"]["mean"] == pytest.approx(DICE_OF_SHIFTED)
    # A miss has no surface: of the bounded figure it is the worst, 0; of the distance it is left out, and counted.
    assert misses["surface_dice_2mm"]["mean"] == pytest.approx((N - N_DIM) / N)
    assert (misses["hd95_mm"]["mean"], misses["hd95_mm"]["n_missed"]) == (0.0, N_DIM)
    assert (finds["hd95_mm"]["mean"], finds["hd95_mm"]["n_missed"]) == (pytest.approx(SHIFT_MM), 0)
    assert misses["lesion_recall"]["mean"] == pytest.approx((N - N_DIM) / N)


def test_the_report_says_who_was_missed_beside_the_mean(workspace):
    page = (workspace.folder / "misses" / "report.html").read_text(encoding="utf-8")
    assert f"over {N - N_DIM} of {N} cases; {N_DIM} missed" in page
    assert "missed" not in "".join(line for line in page.splitlines() if "over 10 of 10" in line)


def test_mlflow_holds_the_count_beside_the_mean(workspace):
    client = mlflow.MlflowClient(workspace.uri)
    misses, finds = (client.get_run(b.card.run_id).data.metrics for b in (workspace.misses, workspace.finds))
    assert (misses["test/hd95_mm"], finds["test/hd95_mm"]) == (0.0, pytest.approx(SHIFT_MM))
    assert (misses["test/n_missed_cases"], finds["test/n_missed_cases"]) == (N_DIM, 0)
    assert misses["test/surface_dice_2mm"] == pytest.approx(0.6)


def test_compare_never_calls_the_one_that_misses_better(workspace):
    folders = [str(workspace.folder / name) for name in ("misses", "finds")]
    compared = compare_models(*folders, workspace.uri, confidence_level=0.95)
    rows = {row.metric: row for row in compared.differences}
    assert rows["dice"].gain == pytest.approx(DICE_OF_SHIFTED - 0.6)
    assert rows["surface_dice_2mm"].first == pytest.approx(0.6)
    # As far as the image is wide, four times in ten: no mean of distances that leaves the misses out.
    assert rows["hd95_mm"].gain == pytest.approx(0.4 * DIAGONAL_MM - SHIFT_MM)
    assert (rows["hd95_mm"].n_worst_first, rows["hd95_mm"].n_worst_second) == (N_DIM, 0)
