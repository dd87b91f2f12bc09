"""The package as others install it: a wheel, in an environment of its own, far from the checkout."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import nibabel
import pytest
import yaml

from lesionflow.config.presets import PRESETS
from support.change_plans import write_demonstration_plan

ROOT = Path(__file__).resolve().parents[2]
#: One to test on, two to validate on, three to learn from: nearly all time goes into loading libraries, step by step.
N_PATIENTS = 6
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("wheel")


@pytest.fixture(scope="module")
def wheel(folder):
    """Built from a copy: a build leaves files in its source."""
    source = folder / "source"
    shutil.copytree(ROOT / "src", source / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    _call(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", folder, source)
    shutil.rmtree(source)
    (built,) = folder.glob("lesionflow-*.whl")
    return built


@pytest.fixture(scope="module")
def environment(folder):
    """Without the variables that could lead to the checkout."""
    own = {"LESIONFLOW_PRIVATE_DIR": str(folder / "private"), "LESIONFLOW_WORKERS": "1", "LESIONFLOW_DEVICE": "cpu"}
    dropped = {"PYTHONPATH", "MLFLOW_TRACKING_URI", "VIRTUAL_ENV"}
    return {**{key: value for key, value in os.environ.items() if key not in dropped}, **own, "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def lesionflow(folder, wheel, environment):
    """A function that runs the installed command and returns what it printed.

    The dependencies are those of the running interpreter, by a path in a .pth file: other .pth files at that path, such as that of an
    editable install, are not followed.
    """
    home = folder / "environment"
    venv.create(home, with_pip=False)
    python = home / "bin" / "python"
    packages = Path(sysconfig.get_path("purelib", vars={"base": home, "platbase": home}))
    theirs = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
    (packages / "dependencies.pth").write_text("".join(f"{path}\n" for path in theirs))
    _call(
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "-q",
        "--no-deps",
        "--no-index",
        "--force-reinstall",
        wheel,
    )

    def run(*arguments, at=folder, **more):
        program = [home / "bin" / "lesionflow"] if arguments[0] != "-c" else [python]
        return _call(*program, *arguments, cwd=at, env={**environment, **more})

    return run


@pytest.fixture(scope="module")
def work(folder, lesionflow):
    """A workspace, made and run to a champion by the installed command alone."""
    lesionflow("phantom", "phantoms", "--cases", str(N_PATIENTS), "--seed", "11", "--format", "nifti")
    lesionflow("init", "work", "--preset", "phantom_ct")
    params = folder / "work" / "params.yaml"
    content = yaml.safe_load(params.read_text(encoding="utf-8"))
    content["plan"] |= {"batch_size": 4}
    content["plan"]["architecture"]["options"] |= {"base_channels": 4, "depth": 2}
    content["train"] |= {"max_epochs": 1, "batches_per_epoch": 4}
    content["split"] |= {"test_fraction": 0.15}
    content["evaluate"] |= {"n_bootstrap": 100}
    write_demonstration_plan(params.parent)
    params.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    lesionflow("run", "--workdir", "work", "--data", "phantoms/nifti")
    return folder / "work"


def _call(*command, **options):
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_the_wheel_holds_every_file_of_the_package(wheel):
    files = {str(path.relative_to(ROOT / "src")) for path in (ROOT / "src" / "lesionflow").rglob("*") if path.is_file()}
    wanted = {name for name in files if "__pycache__" not in name}
    assert {"lesionflow/config/presets/phantom_ct.yaml", "lesionflow/io/dicom/deidentification.yaml"} < wanted
    assert wanted - set(zipfile.ZipFile(wheel).namelist()) == set()


def test_what_runs_is_the_wheel_and_no_checkout(lesionflow, folder):
    said = lesionflow(
        "-c", "import lesionflow, sys; print(lesionflow.__file__); print(*sys.path, sep='\\n')"
    ).splitlines()
    assert Path(said[0]).is_relative_to(folder / "environment")
    assert [path for path in said[1:] if (Path(path) / "lesionflow").exists()] == [str(Path(said[0]).parents[1])]


def test_presets_and_descriptions_come_with_it(lesionflow):
    said = lesionflow("params", "explain", "max_minutes")
    assert "Minutes of all folds together" in said
    assert all(preset.stem in said for preset in PRESETS.glob("*.yaml"))


def test_it_goes_from_phantoms_to_a_champion_that_predicts(lesionflow, work, folder):
    promotion = json.loads((work / "reports" / "promotion.json").read_text(encoding="utf-8"))
    assert (promotion["promote"], promotion["champion_version_after"]) == (True, "1")
    study = min((folder / "phantoms" / "nifti" / "imagesTr").iterdir())
    store = f"sqlite:///{work / 'mlflow.db'}"
    said = lesionflow("predict", study, "-o", "mask.nii.gz", "--format", "nifti", MLFLOW_TRACKING_URI=store)
    assert "lesionflow-phantom-ct, version 1" in said
    given, mask = nibabel.load(study), nibabel.load(folder / "mask.nii.gz")
    assert mask.shape == given.shape
    assert set(mask.dataobj[...].ravel().tolist()) <= {0, 1}
