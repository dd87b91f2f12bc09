"""The fence guards ground that nobody has built on yet: contracts are run on a copy of the package with forbidden imports."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "lesionflow"
LINTER = Path(sys.executable).with_name("lint-imports")
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
LAYERS = "Imports go down only; siblings do not import one another"
OWNED = {library: one for one in CONTRACTS if one["type"] == "protected" for library in one["protected_modules"]}
FORBIDDEN = {
    library: one["name"] for one in CONTRACTS if one["type"] == "forbidden" for library in one["forbidden_modules"]
}
#: Libraries that any room may import, but those that a contract names.
FREE = {"numpy", "pydantic"}
NUMBERS = {1: "one owner", 2: "two owners", 3: "three owners"}
#: Rooms that may not import a library, a row each library at least: its neighbor, or a room of nouns and decisions.
TRESPASSES = {
    "bentoml": ["steps"],
    "starlette": ["jobs"],
    "fastapi": ["registry"],
    "h11": ["registry"],
    "uvicorn": ["steps"],
    "anyio": ["steps"],
    "prometheus_client": ["prediction"],
    "python_multipart": ["cli"],
    "pydicom": ["io/images", "data"],
    "highdicom": ["io/layouts"],
    "pynetdicom": ["serving"],
    "nibabel": ["io/stores"],
    "SimpleITK": ["io/dicom"],
    "albumentations": ["training"],
    "great_expectations": ["steps"],
    "pytorch_lightning": ["models"],
    "lightning_fabric": ["steps/train"],
    "openvino": ["calibration"],
    "fsspec": ["io/stores"],
    "sqlalchemy": ["evaluation"],
    "alembic": ["serving"],
    "onnx": ["steps"],
    "monai": ["models"],
    "cryptography": ["io/stores"],
    "mlflow": ["prediction"],
    "blosc2": ["training/batches"],
    "pyarrow": ["cohort", "evaluation"],
    "safetensors": ["registry"],
    "isal": ["io/stores"],
    "nnunetv2": ["io/exchange"],
    "httpx": ["serving"],
    "torch": ["data", "planning", "cohort", "cli", "metrics"],
    "skimage": ["evaluation"],
    "matplotlib": ["cli"],
    "fpdf": ["evaluation", "serving"],
    "cv2": ["preprocessing", "planning"],
    "PIL": ["io/dicom", "data"],
    "pandas": ["data", "planning", "models", "training"],
    "yaml": ["steps"],
    "pydantic_settings": ["data"],
    "psutil": ["cli"],
    "rich": ["inference"],
    "threadpoolctl": ["metrics"],
    "scipy": ["data", "planning", "machine"],
    "numpy": ["config"],
    "kfp": ["steps"],
    "dvc": ["workspace"],
}
PORTAL = '"""Made by a test."""\n\nimport albumentations\nimport mlflow\nimport pydicom\n\nimport lesionflow.serving\n'

needs_linter = pytest.mark.skipif(not LINTER.exists(), reason="import-linter is not installed beside this Python")


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


def add_portal(copy: Path) -> None:
    (copy / "src/lesionflow/portal").mkdir()
    (copy / "src/lesionflow/portal/__init__.py").write_text(PORTAL)


@needs_linter
def test_a_room_that_no_layer_names_is_refused_by_its_name(copy: Path) -> None:
    add_portal(copy)
    code, said, _ = lint(copy)
    assert code == 1
    assert "lesionflow.portal" in said
    assert "exhaustive" in said or "undeclared" in said.lower() or "not listed" in said


@needs_linter
def test_a_room_in_a_layer_may_import_neither_upward_nor_what_others_own(copy: Path) -> None:
    add_portal(copy)
    config = copy / "pyproject.toml"
    config.write_text(config.read_text().replace('    "workspace | jobs",\n', '    "workspace | jobs | portal",\n', 1))
    code, said, broken = lint(copy)
    assert code == 1
    assert broken == {LAYERS, *(OWNED[library]["name"] for library in ("albumentations", "mlflow", "pydicom"))}
    for target in ("lesionflow.serving", "albumentations", "mlflow", "pydicom"):
        assert f"lesionflow.portal -> {target}" in said


@needs_linter
def test_a_forbidden_import_breaks_its_contract_by_name_and_no_other(copy: Path) -> None:
    wanted = set()
    for library, rooms in TRESPASSES.items():
        contract = OWNED[library]["name"] if library in OWNED else FORBIDDEN[library]
        for room in rooms:
            file = copy / "src/lesionflow" / room / f"with_{library}.py"
            file.write_text(f'"""Made by a test."""\n\nimport {library}\n')
            wanted.add((contract, f"lesionflow.{room.replace('/', '.')}.with_{library} -> {library}"))
    code, said, broken = lint(copy)
    assert (code, broken) == (1, {contract for contract, _ in wanted})
    # A contract's name, underlined, and what breaks it.
    parts = re.split(r"^(.+)\n-+\n", said.partition("Broken contracts")[2], flags=re.MULTILINE)
    found = {
        (contract, line)
        for contract, text in zip(parts[1::2], parts[2::2], strict=True)
        for line in re.findall(r"lesionflow\.\S+ -> \w+", text)
    }
    assert found == wanted


def test_every_contract_of_a_library_is_tried() -> None:
    untried = sorted({*OWNED, *FORBIDDEN} - set(TRESPASSES))
    assert not untried, f"{untried} are protected, and no test tries it: give each a row of TRESPASSES"


def test_a_contract_of_a_library_is_called_by_its_owners() -> None:
    for contract in {one["name"]: one for one in OWNED.values()}.values():
        owners = [owner.removeprefix("lesionflow.") for owner in contract["allowed_importers"]]
        count, _, told = contract["name"].partition(": ")
        assert re.split(", | and ", told) == owners, f"{contract['name']}: Expected the owners {owners}."
        assert count.endswith(NUMBERS.get(len(owners), "owners")), f"{contract['name']}: Expected {len(owners)} owners."


def libraries() -> dict[str, Path]:
    """Every library that the package imports, with a module that does."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
            found |= {name.split(".")[0]: path for name in names}
    return {name: found[name] for name in sorted(set(found) - set(sys.stdlib_module_names) - {"lesionflow"})}


def test_every_library_has_an_owner_or_is_free() -> None:
    used = libraries()
    assert len(used) > 30
    ownerless = [
        f"{path.relative_to(ROOT)} imports {name}, which has no owner: give it a `protected` contract in pyproject.toml, or say "
        "in FREE why every room may"
        for name, path in used.items()
        if name not in {*OWNED, *FREE, *FORBIDDEN}
    ]
    assert not ownerless, "\n".join(ownerless)


def rows(text: str) -> list[str]:
    """The layers that a page draws, highest first, without what it says beside them."""
    blocks = [
        block for block in re.findall(r"^```\w*\n(.+?)^```", text, re.MULTILINE | re.DOTALL) if "cli | serving" in block
    ]
    assert len(blocks) == 1, f"Expected one block of layers that begins with `cli | serving`, found {len(blocks)}."
    return [re.split(r"\s{2,}", line)[0] for line in blocks[0].splitlines()]


@pytest.mark.parametrize("page", ["README.md", "docs/design.md"])
def test_a_page_draws_the_layers_that_hold(page: str) -> None:
    (layers,) = [one["layers"] for one in CONTRACTS if one["name"] == LAYERS]
    drawn = rows((ROOT / page).read_text(encoding="utf-8"))
    assert drawn == [layer for layer in layers if layer != "__main__"], f"{page}: draw the layers of pyproject.toml."


def test_the_plan_of_the_house_draws_every_room() -> None:
    text = (ROOT / "docs/design.md").read_text(encoding="utf-8")
    tree = text.partition("src/lesionflow/ ")[2].partition("\ncomponents/")[0].splitlines()[1:]
    # Some names and a slash each, then, after a gap, what they are.
    drawn = {name.rstrip("/") for line in tree for name in re.match(r"  (\S+(?:  \S+/)*) ", line)[1].split()}
    rooms = {path.stem if path.is_dir() else path.name for path in PACKAGE.iterdir() if not path.name.startswith("_")}
    rooms -= {"py.typed"}
    assert drawn == rooms, f"docs/design.md: {sorted(drawn ^ rooms)} stand in the tree or in the package, not in both."


def test_the_plan_of_the_house_names_every_library_with_an_owner() -> None:
    text = (ROOT / "docs/design.md").read_text(encoding="utf-8")
    said = text.partition("**A library has one owner.**")[2].partition("\n\n")[0].lower()
    spelled = {"skimage": "scikit-image", "cv2": "opencv", "PIL": "pillow", "yaml": "pyyaml"}
    servers = {library for library, one in OWNED.items() if one["name"].startswith("Servers")}
    absent = [name for name in sorted({*OWNED} - servers) if spelled.get(name, name).lower() not in said]
    assert not absent, f"docs/design.md: say of {absent} that they have an owner."
