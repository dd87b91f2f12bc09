"""One project, four ways to run it: by DVC, by hand, by kfp in processes, by kfp in containers. The same bytes, then with new patients too.

Minutes of a processor: LESIONFLOW_TEST_WHOLE=1; the fourth way wants the images of `make test-containers`, which runs this file as well.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest
import yaml

from lesionflow.config.presets import PRESETS
from lesionflow.io.stores.bundles import read_bundle
from lesionflow.io.stores.splits import read_split
from lesionflow.phantoms import write_phantoms
from lesionflow.steps import STEPS
from support.change_plans import write_demonstration_plan
from support.container_engine import engine_or_skip, image_or_skip

ROOT = Path(__file__).resolve().parents[2]
IN_CONTAINERS = "LESIONFLOW_TEST_CONTAINERS" in os.environ
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(7200),
    pytest.mark.skipif(
        not (os.environ.get("LESIONFLOW_TEST_WHOLE") or IN_CONTAINERS),
        reason="eight trainings: LESIONFLOW_TEST_WHOLE=1",
    ),
]
N_FIRST, N_NEW = 16, 3
#: Small enough for seconds, and long enough to find the tumors.
NETWORK = {"base_channels": 8}
TRAINING = {"max_epochs": 20, "batches_per_epoch": 20, "max_minutes": 600.0}
LEAST_DICE = 0.5


class Project(NamedTuple):
    """What each way is given: studies as DVC has them, without identifiers."""

    folder: Path
    params: Path
    raw: Path


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("ways")
    content = yaml.safe_load((PRESETS / "phantom_ct.yaml").read_text(encoding="utf-8"))
    content["plan"]["architecture"]["options"] |= NETWORK
    content["train"] |= TRAINING
    (folder / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    write_demonstration_plan(folder)
    write_phantoms(folder / "first", n_cases=N_FIRST, seed=11, file_format="dicom", modality="ct")
    write_phantoms(folder / "new", n_cases=N_NEW, seed=11, file_format="dicom", modality="ct", first=200)
    return Project(folder, folder / "params.yaml", folder / "dvc" / "work" / "data" / "raw")


def environment(root: Path, **more: str) -> dict[str, str]:
    """Return settings that the ways share: the same key gives the same pseudonyms, one worker the same order."""
    own = {
        "LESIONFLOW_PSEUDONYM_KEY": "k" * 40, "LESIONFLOW_WORKERS": "1", "OMP_NUM_THREADS": "1", "LESIONFLOW_PRIVATE_DIR": str(root / "private"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{root / 'mlflow.db'}", "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }  # fmt: skip
    return {**os.environ, **own, **more}


def ran(root: Path, *words: str, settings: Mapping[str, str] | None = None) -> str:
    command = [sys.executable, "-m", *words]
    done = subprocess.run(
        command, cwd=ROOT, env=settings or environment(root), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout


class Outputs(NamedTuple):
    """Where a way left what it made."""

    cases: Path
    splits: Path
    plan: Path
    preprocessed: Path
    bundle: Path
    evaluation: Path


def by_dvc(project: Project, root: Path, round_: str) -> Outputs:
    work = root / "work"
    if not work.exists():
        ran(root, "lesionflow", "init", str(work), "--preset", "phantom_ct")
        for name in ("params.yaml", "change_plan.yaml"):
            (work / name).write_bytes((project.folder / name).read_bytes())
    ran(root, "lesionflow", "data", "add", str(project.folder / round_ / "dicom"), "--workdir", str(work))
    ran(root, "lesionflow", "run", "--workdir", str(work))
    data = work / "data"
    return Outputs(
        data / "cases",
        data / "splits.json",
        data / "plan.json",
        data / "preprocessed",
        work / "models" / "candidate",
        work / "reports" / "evaluation",
    )


def by_hand(project: Project, root: Path, _: str) -> Outputs:
    places = {
        name: root / (f"{name}.json" if name in {"splits", "plan"} else name)
        for step in STEPS.values()
        for name in step.outputs
    }
    places |= {"raw": project.raw, "change_plan": project.folder / "change_plan.yaml"}
    for name, step in STEPS.items():
        given = [word for place in (*step.inputs, *step.outputs) for word in (f"--{place}", str(places[place]))]
        ran(root, "lesionflow", name, "--params", str(project.params), *given)
    return Outputs(*(places[name] for name in Outputs._fields))


def by_kfp(project: Project, root: Path, _: str, *options: str, settings: Mapping[str, str] | None = None) -> Outputs:
    ran(
        root, "pipelines.retrain", "--local", "--params", str(project.params), "--data", str(project.raw), "--root", str(root),
        "--change-plan", str(project.folder / "change_plan.yaml"), *options, settings=settings,
    )  # fmt: skip
    newest = max((path for path in (root / "outputs").iterdir()), key=lambda path: path.stat().st_mtime)
    return Outputs(*(next(newest.rglob(f"*/{name}")) for name in Outputs._fields))


Way = Callable[[str], Outputs]


@pytest.fixture(scope="module")
def ways(project: Project) -> dict[str, Way]:
    found: dict[str, Way] = {}
    for name, way in (("dvc", by_dvc), ("hand", by_hand), ("kfp", by_kfp)):
        root = project.folder / name
        root.mkdir()
        found[name] = partial(way, project, root)
    if IN_CONTAINERS:
        engine = engine_or_skip()
        image, root = image_or_skip(engine, "train-cpu"), project.folder / "containers"
        root.mkdir()

        def in_containers(round_: str) -> Outputs:
            with engine.docker_api(project.folder) as address:
                given = engine.environment | environment(root, DOCKER_HOST=address)
                return by_kfp(project, root, round_, "--runner", "docker", "--image", image, settings=given)

        found["containers"] = in_containers
    return found


def contents(place: Path) -> dict[str, bytes]:
    files = [place] if place.is_file() else sorted(path for path in place.rglob("*") if path.is_file())
    return {path.relative_to(place.parent).as_posix().partition("/")[2]: path.read_bytes() for path in files}


def made(outputs: Outputs) -> dict[str, object]:
    """What must be the same: cases, split, plan, arrays, weights and what was fitted, scores. A card names its run and its time."""
    bundle = read_bundle(outputs.bundle)
    scores = pd.read_parquet(outputs.evaluation / "cases.parquet")
    return {
        "cases": contents(outputs.cases),
        "splits": read_split(outputs.splits),
        "plan": outputs.plan.read_bytes(),
        "preprocessed": contents(outputs.preprocessed),
        "weights": {name: values.tobytes() for name, values in bundle.weights.items()},
        "calibration": bundle.calibration,
        "scores": scores.drop(columns="seconds").to_csv(),
        "dice": float(scores[scores["target"] == "tumor"]["dice"].mean()),
    }


@pytest.mark.parametrize("round_", ["first", "new"])
def test_each_way_makes_the_same_bytes(ways: dict[str, Way], round_: str) -> None:
    found = {name: made(way(round_)) for name, way in ways.items()}
    expected = found.pop("dvc")
    assert expected["dice"] > LEAST_DICE
    assert expected["cases"]
    assert expected["preprocessed"]
    for name, other in found.items():
        for what, value in expected.items():
            assert other[what] == value, f"{what} of {name}"
