"""The whole way, as a team runs it: DVC, Kubeflow without Docker, kills, and a second run that does nothing."""

import gzip
import json
import os
import resource
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pandas as pd
import pytest
import yaml
from mlflow import MlflowClient

from lesionflow.config.presets import PRESETS as PRESETS_FOLDER
from lesionflow.io.images.nifti import read_mask
from lesionflow.phantoms import write_phantoms
from lesionflow.steps import STEPS
from support.change_plans import write_demonstration_plan
from support.identifiers import PLANTED, identifiers_of, leaked, plant_identifiers

ROOT = Path(__file__).resolve().parents[2]
N_PATIENTS = 12
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pipeline")


@pytest.fixture(scope="module")
def studies(folder: Path) -> Path:
    write_phantoms(folder / "phantoms", n_cases=N_PATIENTS, seed=11, file_format="dicom", modality="ct")
    plant_identifiers(sorted((folder / "phantoms" / "dicom").iterdir())[3])
    return folder / "phantoms" / "dicom"


@pytest.fixture(scope="module")
def params(folder: Path) -> Path:
    """The phantom preset, made small: what is tested is the way, not the score."""
    content = yaml.safe_load((PRESETS_FOLDER / "phantom_ct.yaml").read_text(encoding="utf-8"))
    content["plan"] |= {"patch_size": [3, 64, 64], "batch_size": 4}
    content["plan"]["architecture"]["options"] |= {"base_channels": 4, "depth": 2}
    content["train"] |= {"max_epochs": 2, "batches_per_epoch": 4, "max_minutes": 20.0}
    write_demonstration_plan(folder)
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def environment(folder: Path) -> dict[str, str]:
    own = {"LESIONFLOW_PRIVATE_DIR": str(folder / "private"), "OMP_NUM_THREADS": "1"}
    kept = {key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"}
    return {**kept, **own, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def _run(work: Path, environment: dict[str, str], *options: str) -> str:
    command = [sys.executable, "-m", "lesionflow", "run", "--workdir", str(work), *options]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def work(folder: Path, studies: Path, params: Path, environment: dict[str, str]) -> Path:
    """A workspace whose every step was killed once, and the same command given again."""
    work = folder / "work"
    options = ("--params", str(params), "--data", str(studies))
    for step in STEPS:
        _run_and_kill_in(step, work, environment, *options)
    _run(work, environment, *options)
    return work


def _run_and_kill_in(step: str, work: Path, environment: dict[str, str], *options: str) -> None:
    command = [sys.executable, "-m", "lesionflow", "run", "--workdir", str(work), *options]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if f"Running stage '{step}'" in line:
                # A step spends its first second on imports.
                time.sleep(2.0)
                os.killpg(process.pid, signal.SIGKILL)
                return
    raise AssertionError(f"{step} never began:" + "".join(said[-20:]))


def test_every_step_leaves_its_output(work: Path) -> None:
    for path in yaml.safe_load((work / "dvc.yaml").read_text(encoding="utf-8"))["stages"].values():
        for out in path["outs"]:
            assert (work / (next(iter(out)) if isinstance(out, dict) else out)).exists()


def test_after_the_kills_every_case_is_whole(work: Path) -> None:
    table = pd.read_parquet(work / "data" / "cases" / "cases.parquet")
    assert len(table) == N_PATIENTS
    for case_id in table["case_id"]:
        read_mask(work / "data" / "cases" / "labelsTr" / f"{case_id}.nii.gz", name=case_id)
    assert not list((work / "data" / "cases").rglob(".partial-*"))


def test_the_tumor_volumes_are_those_of_the_truth(work: Path, studies: Path) -> None:
    table = pd.read_parquet(work / "data" / "cases" / "cases.parquet")
    truth = sorted((studies.parent / "truth").glob("*.nii.gz"))
    expected = []
    for path in truth:
        mask = read_mask(path, name=path.stem)
        expected.append(float((mask.labels > 0).sum()) * mask.geometry.voxel_volume_ml)
    assert sorted(table["tumor_ml"]) == pytest.approx(sorted(expected), rel=0.02, abs=0.2)


def test_the_first_model_is_champion_and_reviewers_see_why(work: Path) -> None:
    promotion = json.loads((work / "reports" / "promotion.json").read_text(encoding="utf-8"))
    assert promotion["promote"] is True
    client = MlflowClient(f"sqlite:///{work / 'mlflow.db'}")
    champion = client.get_model_version_by_alias(promotion["model_name"], "champion")
    assert str(champion.version) == promotion["champion_version_after"]
    run = client.get_run(champion.run_id)
    assert "test/dice" in run.data.metrics
    assert client.get_metric_history(champion.run_id, "val/loss")
    artifacts = {entry.path for entry in client.list_artifacts(champion.run_id)}
    assert {"test_cases.json", "evaluation", "images"} <= artifacts


def test_no_identifier_of_a_patient_is_in_anything_written(work: Path, studies: Path) -> None:
    secrets = {path.name.encode() for path in studies.iterdir()} | {b"Phantom^"} | identifiers_of(studies)
    assert len(secrets) > 500
    # The manifest names the files of the studies: it lies beside these, under DVC, out of git.
    files = [p for p in work.rglob("*") if p.is_file() and ".git/" not in str(p) and "data/raw" not in str(p)]
    assert len(files) > 50
    leaks = {(str(path.relative_to(work)), found) for path in files for found in leaked(path, secrets)}
    assert leaks == set()


def test_the_search_for_identifiers_finds_them_however_they_are_packed(tmp_path: Path) -> None:
    secret = PLANTED + b"00042"
    (tmp_path / "a.json").write_bytes(b"x" + secret)
    (tmp_path / "b.nii.gz").write_bytes(gzip.compress(b"y" + secret))
    with zipfile.ZipFile(tmp_path / "c.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner", secret * 5)
    pd.DataFrame({"n": [1, 2], "text": ["z", secret.decode()]}).to_parquet(tmp_path / "d.parquet", compression="zstd")
    for path in sorted(tmp_path.iterdir()):
        assert leaked(path, set()) == {secret.decode()[: len(PLANTED)]}, path


def test_the_second_run_runs_nothing(work: Path, environment: dict[str, str]) -> None:
    said = _run(work, environment)
    assert "Running stage" not in said
    assert said.count("didn't change, skipping") == 9


def test_retrain_with_nothing_new_does_nothing_in_less_than_five_seconds_of_a_processor(
    work: Path, environment: dict[str, str]
) -> None:
    before = {
        path: path.stat().st_mtime_ns for path in work.rglob("*") if path.is_file() and ".dvc/tmp" not in str(path)
    }
    command = [sys.executable, "-m", "lesionflow", "retrain", "--workdir", str(work), "--because", "schedule"]
    # DVC's own look at the workspace is the half of it: what the machine takes for that, busy as it is, is the measure.
    status = [sys.executable, "-m", "dvc", "status", "--json"]
    before_status = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(status, cwd=work, env=environment, capture_output=True, check=True)
    began = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    assert "Nothing is new" in done.stdout
    assert _seconds(began, ended) < max(5.0, 4 * _seconds(before_status, began))
    now = {path: path.stat().st_mtime_ns for path in work.rglob("*") if path.is_file() and ".dvc/tmp" not in str(path)}
    assert now == before


def _seconds(began: resource.struct_rusage, ended: resource.struct_rusage) -> float:
    return (ended.ru_utime - began.ru_utime) + (ended.ru_stime - began.ru_stime)


def test_kubeflow_without_docker_honors_the_lock_and_gives_the_same_figures(
    work: Path, studies: Path, params: Path, folder: Path, environment: dict[str, str]
) -> None:
    root = folder / "kfp"
    # By this seed other patients would be drawn: a run that starts with no split takes the one that the model shares.
    content = yaml.safe_load(params.read_text(encoding="utf-8"))
    content["split"]["seed"] += 1
    other = folder / "other_seed.yaml"
    other.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    store = {"MLFLOW_TRACKING_URI": f"sqlite:///{work / 'mlflow.db'}"}
    command = [sys.executable, "-m", "pipelines.retrain", "--local", "--params", str(other), "--because", "schedule"]
    done = subprocess.run(
        [*command, "--data", str(studies), "--root", str(root)],
        cwd=ROOT, env=environment | store, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    ours = json.loads((work / "reports" / "evaluation" / "metrics.json").read_text(encoding="utf-8"))
    found = list((root / "outputs").rglob("metrics.json"))
    assert len(found) == 1
    theirs = json.loads(found[0].read_text(encoding="utf-8"))
    assert set(ours) == set(theirs)
    for name in set(ours) - {"targets"}:
        assert theirs[name] == pytest.approx(ours[name], abs=1e-6, nan_ok=True)


def test_retrain_from_the_champion_runs_train_and_what_follows_and_says_why(
    work: Path, environment: dict[str, str]
) -> None:
    path = work / "params.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    content["train"]["seed"] += 1
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    client = MlflowClient(f"sqlite:///{work / 'mlflow.db'}")
    name = content["register"]["model_name"]
    champion = str(client.get_model_version_by_alias(name, "champion").version)
    command = [sys.executable, "-m", "lesionflow", "retrain", "--workdir", str(work), "--because", "drift"]
    done = subprocess.run(
        [*command, "--from", "champion"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    ran = [line.split("'")[1] for line in done.stdout.splitlines() if "Running stage '" in line]
    steps = list(STEPS)
    assert ran == steps[steps.index("train") :]
    source = yaml.safe_load(path.read_text(encoding="utf-8"))["train"]["transfer"]["source"]
    assert source == f"models:/{name}/{champion}"
    made = client.get_model_version_by_alias(name, "challenger")
    run = client.get_run(made.run_id)
    assert (made.tags["trigger"], run.data.tags["trigger"]) == ("drift", "drift")
    assert run.data.params["train.transfer.source"] == source
    ledger = [json.loads(line) for line in (work / "data" / "ledger.jsonl").read_text(encoding="utf-8").splitlines()]
    (noted,) = [entry["facts"] for entry in ledger if entry["kind"] == "retrain"]
    assert (noted["because"], noted["champion_version"]) == ("drift", champion)
    assert f"version {made.version} of {name}" in done.stdout.lower()
    # Reads of the pipeline's run, in another place, stand in the ledger here too.
    reads = {
        entry["facts"]["run_id"]
        for entry in ledger
        if entry["kind"] == "test_read" and entry["facts"]["step"] == "evaluate"
    }
    assert len(reads) == 3
