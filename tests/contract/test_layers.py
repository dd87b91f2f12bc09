"""The fence guards ground that nobody has built on yet: contracts are run on a copy of the package with one forbidden import."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINTER = Path(sys.executable).with_name("lint-imports")
LAYERS = "Imports go down only; siblings do not import one another"
#: A library of each protected contract, the contract's name, and a room that may not import it.
PROTECTED = {
    "bentoml": ("Servers have one owner: serving", "steps"),
    "prometheus_client": ("Servers have one owner: serving", "prediction"),
    "pydicom": ("pydicom has one owner: io.dicom and phantoms", "io/images"),
    "highdicom": ("highdicom has one owner: io.dicom and phantoms", "io/layouts"),
    "nibabel": ("nibabel has one owner: io.images", "io/stores"),
    "SimpleITK": ("SimpleITK has three owners: io.images, preprocessing and phantoms", "io/dicom"),
    "albumentations": ("albumentations has one owner: augmentation", "training"),
    "great_expectations": ("great_expectations has one owner: validation", "steps"),
    "pytorch_lightning": ("pytorch_lightning has one owner: training", "models"),
    "openvino": ("openvino has one owner: inference", "calibration"),
    "fsspec": ("fsspec has one owner: io.project", "io/stores"),
    "sqlalchemy": ("SQLAlchemy has two owners: jobs and registry", "evaluation"),
    "alembic": ("SQLAlchemy has two owners: jobs and registry", "serving"),
    "onnx": ("onnx has one owner: inference", "steps"),
    "monai": ("monai has one owner: inference.monai_bundle", "models"),
    "cryptography": ("cryptography has one owner: io.signing", "io/stores"),
    "mlflow": ("mlflow has one owner: registry and prediction.mlflow_model", "prediction"),
}
PACS = '"""Made by a test."""\n\nimport albumentations\nimport mlflow\nimport pydicom\n\nimport lesionflow.serving\n'

pytestmark = pytest.mark.skipif(not LINTER.exists(), reason="import-linter is not installed beside this Python")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(ROOT / "pyproject.toml", tmp_path / "pyproject.toml")
    return tmp_path


def lint(folder: Path) -> tuple[int, str, set[str]]:
    """Run the contracts of a copy; return the exit code, what was said, and the names of those that are broken."""
    environment = {**os.environ, "PYTHONPATH": str(folder / "src"), "COLUMNS": "400"}
    command = [LINTER, "--no-cache"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    return done.returncode, said, set(re.findall(r"^(.+) BROKEN", said, re.MULTILINE))


def add_pacs(copy: Path) -> None:
    (copy / "src/lesionflow/pacs").mkdir()
    (copy / "src/lesionflow/pacs/__init__.py").write_text(PACS)


def test_a_room_that_no_layer_names_is_refused_by_its_name(copy: Path) -> None:
    add_pacs(copy)
    code, said, _ = lint(copy)
    assert code == 1
    assert "lesionflow.pacs" in said
    assert "exhaustive" in said or "undeclared" in said.lower() or "not listed" in said


def test_a_room_in_a_layer_may_import_neither_upward_nor_what_others_own(copy: Path) -> None:
    add_pacs(copy)
    config = copy / "pyproject.toml"
    config.write_text(config.read_text().replace('    "workspace | jobs",\n', '    "workspace | jobs | pacs",\n', 1))
    code, said, broken = lint(copy)
    assert code == 1
    assert broken == {LAYERS, *(PROTECTED[library][0] for library in ("albumentations", "mlflow", "pydicom"))}
    for target in ("lesionflow.serving", "albumentations", "mlflow", "pydicom"):
        assert f"lesionflow.pacs -> {target}" in said


@pytest.mark.parametrize("library", PROTECTED)
def test_a_forbidden_import_breaks_its_contract_and_no_other(copy: Path, library: str) -> None:
    contract, room = PROTECTED[library]
    (copy / "src/lesionflow" / room / "trespasser.py").write_text(f'"""Made by a test."""\n\nimport {library}\n')
    code, said, broken = lint(copy)
    assert (code, broken) == (1, {contract})
    assert f"lesionflow.{room.replace('/', '.')}.trespasser -> {library}" in said


def test_every_protected_contract_is_tried() -> None:
    protected = re.findall(r'name = "(.+)"\ntype = "protected"', (ROOT / "pyproject.toml").read_text())
    assert {name for name, _ in PROTECTED.values()} == set(protected)
