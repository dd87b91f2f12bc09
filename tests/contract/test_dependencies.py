"""What the package imports is what it says it needs: pip installs a name that pyproject.toml leaves out by chance only."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest

from lesionflow.machine.extras import EXTRAS

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def normal(name):
    """PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def imported_from(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.split(".")[0]


#: Stated, and imported by nobody here: who loads it by name.
LOADED_BY_NAME = {
    "pylibjpeg": "pydicom, for compressed pixels",
    "pylibjpeg-libjpeg": "pydicom, for JPEG",
    "pylibjpeg-openjpeg": "pydicom, for JPEG 2000",
    "pylibjpeg-rle": "pydicom, for RLE",
    "psycopg": "SQLAlchemy, for postgresql+psycopg://",
    "psycopg-binary": "psycopg",
    "pymysql": "SQLAlchemy, for mysql+pymysql://",
    "dvc": "as a program of its own: python -m dvc",
    "dvc-s3": "DVC, for s3://",
    "dvc-ssh": "DVC, for ssh://",
}
EXTRA_NAMES = {
    name: [normal(one) for one in names] for name, names in PROJECT["optional-dependencies"].items() if name != "all"
}
BASE = {normal(name) for name in PROJECT["dependencies"]}
#: Stands above the package and comes with the extra `kubeflow`.
ORCHESTRATORS = [*(ROOT / "components").rglob("*.py"), *(ROOT / "pipelines").rglob("*.py")]


def roots_of(files):
    return {root for path in files for root in imported_from(path)} - set(sys.stdlib_module_names) - {"lesionflow"}


@pytest.fixture(scope="module")
def package_roots():
    package = ROOT / "src" / "lesionflow"
    # What nnU-Net's own Python runs imports what is there.
    return roots_of(set(package.rglob("*.py")) - {package / "inference/foreign/nnunet_program.py"})


@pytest.fixture(scope="module")
def owners():
    return {root: {normal(name) for name in names} for root, names in packages_distributions().items()}


def test_every_import_is_a_stated_dependency(package_roots, owners):
    stated = BASE | {name for names in EXTRA_NAMES.values() for name in names}
    assert len(package_roots) > 30
    assert {root for root in package_roots if not owners.get(root, set()) & stated} == set()


def test_what_stands_above_the_package_imports_what_its_extra_brings(owners):
    """`kubeflow` brings kfp, and kfp what its client is made of; all else that a pod has is the package's."""
    extra = set(EXTRA_NAMES["kubeflow"])
    for _ in range(2):  # kfp's client, and what that speaks HTTP by
        asked = [one for name in extra for one in requires(name) or () if "extra ==" not in one]
        extra |= {normal(re.match(r"[\w.-]+", one)[0]) for one in asked}
    above = roots_of(ORCHESTRATORS) - {"components", "pipelines"}
    assert above >= {"kfp", "yaml"}
    unstated = sorted(root for root in above if not owners.get(root, set()) & (BASE | extra))
    assert not unstated, (
        f"components or pipelines import {unstated}, which neither the package nor the extra kubeflow brings"
    )


def test_every_stated_dependency_is_imported_or_loaded_by_a_name_that_is_told(package_roots, owners):
    imported = {name for root in package_roots for name in owners.get(root, ())}
    outside = {name for root in roots_of(ORCHESTRATORS) for name in owners.get(root, ())}
    for name in BASE | {name for extra, names in EXTRA_NAMES.items() if extra != "kubeflow" for name in names}:
        assert (name in imported) != (name in LOADED_BY_NAME), name
    assert set(EXTRA_NAMES["kubeflow"]) <= outside
    assert set(LOADED_BY_NAME) <= BASE | {name for names in EXTRA_NAMES.values() for name in names}


def test_what_only_an_extra_brings_says_so_where_it_is_absent(package_roots, owners):
    """`machine.extras` names an extra for each import that a plain install lacks, and the right one."""
    for root in package_roots:
        extras = {extra for extra, names in EXTRA_NAMES.items() if owners[root] & set(names)}
        if not owners[root] & BASE:
            assert EXTRAS.get(root) in extras, root
    # Flask comes with the whole of MLflow, whose pages `lesionflow ui` shows.
    by_name = {"flask": "train", "dvc_s3": "s3", "dvc_ssh": "ssh", "dvc": "workspace", "kfp": "kubeflow"}
    for root, extra in EXTRAS.items():
        assert by_name.get(root, extra) == extra
        assert root in by_name or owners[root] & set(EXTRA_NAMES[extra]), root


def test_all_names_every_extra():
    (everything,) = PROJECT["optional-dependencies"]["all"]
    assert everything == f"lesionflow[{','.join(EXTRA_NAMES)}]"


def test_what_a_plain_install_is_for_loads_without_any_extra():
    """Rooms that read a study, draw its mask and look after models: in a process in which no extra can be imported."""
    program = f"""
import importlib, pkgutil, sys
class Without:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {set(EXTRAS) - {"anyio", "starlette", "httpx", "fastapi", "h11", "uvicorn"}!r}:
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Without())
import lesionflow
rooms = ("cli", "prediction", "registry", "inference", "preprocessing", "models", "metrics", "io", "cohort", "machine", "workspace")
for room in rooms:
    package = importlib.import_module("lesionflow." + room)
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if "nnunet_program" not in module.name:
            importlib.import_module(module.name)
print(len([name for name in sys.modules if name.startswith("lesionflow.")]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout.split()[-1]) > 200


def test_every_stated_dependency_is_pinned():
    pinned = {
        normal(line.split("==")[0]) for line in (ROOT / "requirements.lock").read_text().splitlines() if "==" in line
    }
    assert BASE | {name for names in EXTRA_NAMES.values() for name in names} <= pinned
