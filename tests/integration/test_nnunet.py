"""The real nnU-Net, where its Python is named: it accepts what we export, says through us what it says itself, and is judged like any model."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from lesionflow.cli import main
from lesionflow.data.bundle import Bundle
from lesionflow.data.dataset import Dataset
from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask, Volume
from lesionflow.inference import Segmenter
from lesionflow.io.exchange.nnunet_dataset import TEST, TRAIN, ExportedCase, write_raw_dataset
from lesionflow.io.exchange.nnunet_model import read_model
from lesionflow.io.images.nifti import write_mask, write_volume
from lesionflow.io.stores.cases import image_path, mask_path, read_case, write_dataset
from lesionflow.steps.exchange.nnunet_plan import make_foreign_plan
from support.bundles import small_bundle
from support.foreign_challenge import NAME, foreign_challenge

PYTHON = os.environ.get("LESIONFLOW_NNUNET_PYTHON")
PROGRAM = Path(__file__).resolve().parents[1] / "support/tiny_nnunet.py"
LABELS = {"NCR": 1, "ED": 2, "ET": 4}
DATASETS = {
    "labels": Dataset(name="organs", channels={"CT": "ct", "PET": "pet"}, labels=LABELS, regions={}),
    "regions": Dataset(
        name="gliomas", channels={"T1c": "mr"}, labels=LABELS, regions={"WT": (1, 2, 4), "TC": (1, 4), "ET": (4,)}
    ),
}
#: Slices run to the feet, rows to the front; nothing symmetric.
TURNED = np.array([[0, 0, 1], [0, -1, 0], [-1, 0, 0]])
GRID = Geometry.from_parts((7, 40, 56), (3.0, 0.8, 0.5), (10.0, -20.0, 5.0), TURNED)

pytestmark = pytest.mark.skipif(not PYTHON, reason="LESIONFLOW_NNUNET_PYTHON names no Python with nnunetv2")


def run(*arguments: object) -> str:
    command = [str(PYTHON), str(PROGRAM), *map(str, arguments)]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=400)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("kind", DATASETS)
def test_what_is_exported_is_accepted_and_what_is_imported_says_the_same_voxel_by_voxel(tmp_path, kind):
    dataset, cases, rng = DATASETS[kind], tmp_path / "cases", np.random.default_rng(5)
    names = ["c-1", "c-2", "c-3"]
    for case_id in names:
        for number in range(len(dataset.channels)):
            write_volume(image_path(cases, case_id, number), Volume(rng.normal(50, 40, (1, *GRID.shape)), GRID))
        labels = rng.choice(np.array([0, 1, 2, 4, 255], np.uint8), GRID.shape, p=[0.6, 0.1, 0.1, 0.1, 0.1])
        write_mask(mask_path(cases, case_id), Mask(labels, GRID))
    write_dataset(cases, dataset, 3, some_ignored=True)
    raw = tmp_path / "raw" / "Dataset501_x"
    uses = [ExportedCase(name, f"p-{name}", TEST if name == "c-3" else TRAIN) for name in names]
    write_raw_dataset(raw, cases, uses, [], {})
    assert "verify_dataset_integrity Done" in run("verify", raw)
    run("make", raw, tmp_path / "results")
    where = Path((tmp_path / "results/where").read_text())
    (tmp_path / "own").mkdir()
    run("predict", where, raw, tmp_path / "own", "c-3")
    own = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "own/c-3.nii.gz")))
    model = read_model(where)
    plan = make_foreign_plan(model, dataset)
    card = small_bundle().card.model_copy(update={"plan_sha256": plan.digest()})
    found = Segmenter(Bundle(plan, model.weights, card), device="cpu").segment(
        read_case(cases, "c-3").volume, case_id="c-3"
    )
    assert len(np.unique(own)) > 2
    assert np.array_equal(np.array([0, 1, 2, 4])[own], found.mask.labels)
    assert found.mask.geometry.same_grid(GRID)
    if kind == "regions":
        # Regions are written one over the other, each where its probability is above a half.
        assert np.array_equal((found.probabilities > 0.5).any(axis=0), found.mask.labels > 0)


@pytest.mark.slow
def test_a_model_of_its_own_trainer_is_judged_and_one_that_knows_a_test_case_or_nobody_knows_what_is_refused(
    tmp_path, monkeypatch, capsys
):
    """Its weights are random, and the champion finds nothing: whatever it is judged to be, rules say why."""
    made = foreign_challenge(tmp_path / "work")
    work = made.folder
    monkeypatch.setenv("MLFLOW_TRACKING_URI", made.uri)
    monkeypatch.setenv("LESIONFLOW_DEVICE", "cpu")
    assert main(["export", "nnunet", str(tmp_path / "raw"), "--dataset-id", "501", "--workdir", str(work)]) == 0
    [raw] = (tmp_path / "raw").iterdir()
    run("make", raw, tmp_path / "results")
    where = (tmp_path / "results/where").read_text()
    (tmp_path / "leak.txt").write_text("c-000000\nc-000005\n")
    stated = {"known": ["--trained-on", str(raw / "lesionflow_cases.json")], "unknown": []}
    stated["leak"] = ["--trained-on", str(tmp_path / "leak.txt")]
    decisions = {}
    for name, arguments in stated.items():
        assert main(["models", "import-nnunet", where, "--workdir", str(work), "--folds", "0", *arguments]) == 0
        decisions[name] = json.loads((work / "reports/nnunet/promotion.json").read_text())
    found = decisions["known"]
    assert found["verdict"] in {"superior", "refused", "can't tell", "worse"}
    assert {one["rule"] for one in found["reasons"]} >= {"change_permitted", "better_than_champion", "no_lost_masks"}
    # Giving the test cases out was the first look.
    assert found["look"] == 2
    for name, said in (("unknown", "is not known as a whole"), ("leak", "c-000005 (the same case)")):
        assert (decisions[name]["verdict"], decisions[name]["look"]) == ("refused", 0)
        [broken] = [one for one in decisions[name]["reasons"] if not one["held"]]
        assert broken["rule"] == "not_learned_from:challenger"
        assert said in broken["detail"]
    capsys.readouterr()
    assert main(["models", "list", "--workdir", str(work)]) == 0
    listed = {line.split()[1]: line for line in capsys.readouterr().out.splitlines() if line.startswith(NAME)}
    assert set(listed) == {"1", "2", "3", "4"}
    assert "champion" in listed[found["champion_version_after"]]
