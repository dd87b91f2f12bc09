"""The pipeline fanned out, by kfp's own runner: the same cases, arrays and weights as of one task a step."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from lesionflow.config.presets import PRESETS as PRESETS_FOLDER
from lesionflow.io.stores.bundles import read_bundle
from lesionflow.phantoms import write_phantoms
from support.change_plans import write_demonstration_plan

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3000),
    pytest.mark.skipif(not os.environ.get("LESIONFLOW_TEST_WHOLE"), reason="two pipelines of forty processes: LESIONFLOW_TEST_WHOLE=1"),
]  # fmt: skip


@pytest.fixture(scope="module")
def params(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("params")
    content = yaml.safe_load((PRESETS_FOLDER / "phantom_ct.yaml").read_text(encoding="utf-8"))
    content["plan"] |= {"patch_size": [3, 64, 64], "batch_size": 4}
    content["plan"]["architecture"]["options"] |= {"base_channels": 4, "depth": 2}
    content["split"]["n_folds"] = 2
    content["train"] |= {"max_epochs": 1, "batches_per_epoch": 4, "max_minutes": 60.0, "folds": "ensemble"}
    write_demonstration_plan(folder)
    (folder / "small.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return folder / "small.yaml"


def retrain(root: Path, params: Path, studies: Path, *options: str) -> Path:
    own = {
        "LESIONFLOW_PSEUDONYM_KEY": "k" * 40, "LESIONFLOW_WORKERS": "1", "OMP_NUM_THREADS": "1",
        "MLFLOW_TRACKING_URI": f"sqlite:///{root / 'mlflow.db'}", "LESIONFLOW_PRIVATE_DIR": str(root / "private"),
    }  # fmt: skip
    command = [sys.executable, "-m", "pipelines.retrain", "--local", "--params", str(params), "--data", str(studies)]
    root.mkdir()
    done = subprocess.run(
        [*command, "--root", str(root), *options],
        cwd=ROOT, env={**os.environ, **own}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return root / "outputs"


def test_a_sweep_goes_on_with_the_best_by_validation_and_reads_the_test_set_once(params: Path, tmp_path: Path) -> None:
    write_phantoms(tmp_path / "phantoms", n_cases=12, seed=11, file_format="dicom", modality="ct")
    sweep = tmp_path / "sweep.yaml"
    # Steps of no length leave the weights as they were drawn.
    sweep.write_text("- {learning_rate: 1.0e-9}\n- {max_epochs: 3}\n", encoding="utf-8")
    outputs = retrain(tmp_path / "swept", params, tmp_path / "phantoms" / "dicom", "--candidates", str(sweep))
    found = [read_bundle(path) for path in sorted(outputs.rglob("bundle")) if "train-candidate" in str(path.parent)]
    chosen = read_bundle(only(outputs, "choose", "bundle"))
    best = max(found, key=lambda bundle: bundle.card.validation_dice)
    assert sorted(bundle.card.train_params["max_epochs"] for bundle in found) == [1, 3]
    assert chosen.digest == best.digest
    assert len(list(outputs.rglob("metrics.json"))) == 1


def only(outputs: Path, step: str, name: str) -> Path:
    (found,) = [path for path in outputs.rglob(name) if f"{step}-step" in str(path.parent)]
    return found


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_fanned_out_the_pipeline_makes_the_same_champion(params: Path, tmp_path: Path) -> None:
    write_phantoms(tmp_path / "phantoms", n_cases=12, seed=11, file_format="dicom", modality="ct")
    studies = tmp_path / "phantoms" / "dicom"
    plain = retrain(tmp_path / "plain", params, studies)
    wide = retrain(tmp_path / "wide", params, studies, "--shards", "2", "--folds", "2")
    for step, name in (("ingest", "cases"), ("preprocess", "preprocessed")):
        ours, theirs = (contents(only(root, one, name)) for root, one in ((wide, f"{step}-join"), (plain, step)))
        assert ours == theirs
        assert ours
    ours, theirs = (read_bundle(only(root, one, "bundle")) for root, one in ((wide, "train-join"), (plain, "train")))
    assert {k: v.tobytes() for k, v in ours.weights.items()} == {k: v.tobytes() for k, v in theirs.weights.items()}
    assert ours.plan.model_dump() == theirs.plan.model_dump()
    assert ours.calibration == theirs.calibration
    metrics = [next(iter(root.rglob("metrics.json"))).read_text(encoding="utf-8") for root in (wide, plain)]
    assert metrics[0] == metrics[1]
