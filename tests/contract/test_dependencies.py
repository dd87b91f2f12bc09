"""What the package imports is what it says it needs: pip installs a name that pyproject.toml leaves out by chance only."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("part", ["package", "service"])
def test_every_import_is_a_stated_dependency(part):
    package = ROOT / "src" / "lesionflow"
    of_service = set((package / "serving").rglob("*.py"))
    files = of_service if part == "service" else set(package.rglob("*.py")) - of_service
    extras = PROJECT["optional-dependencies"]["serving"] if part == "service" else []
    stated = {normal(name) for name in PROJECT["dependencies"] + extras}
    roots = {root for path in files for root in imported_from(path)} - set(sys.stdlib_module_names) - {"lesionflow"}
    owners = packages_distributions()
    assert len(roots) > 3
    assert {root for root in roots if not {normal(name) for name in owners.get(root, [])} & stated} == set()


def test_every_stated_dependency_is_pinned():
    pinned = {
        normal(line.split("==")[0]) for line in (ROOT / "requirements.lock").read_text().splitlines() if "==" in line
    }
    extras = [name for names in PROJECT["optional-dependencies"].values() for name in names]
    assert {normal(n) for n in PROJECT["dependencies"] + extras} <= pinned
