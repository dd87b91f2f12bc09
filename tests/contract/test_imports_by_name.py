"""Contracts read import statements: what imports by a name that is known at run time alone would pass them all, so tables alone may."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "lesionflow"
FILES = [path for top in ("src", "components", "pipelines") for path in sorted((ROOT / top).rglob("*.py"))]
#: Tables that load their entries, each of the package itself, and all that they give `import_module`.
TABLES = {
    "metrics/__init__.py": {"f'{__name__}.{name}'"},
    "models/__init__.py": {"f'{networks.__name__}.{found.name}'"},
    "prediction/documents/__init__.py": {"f'{__name__}.{self.module}'"},
    "prediction/writers/__init__.py": {"f'{__name__}.{name}'"},
    "steps/__init__.py": {
        "'lesionflow.steps.attesting'",
        "'lesionflow.steps.kept_output'",
        "'lesionflow.steps.parallel'",
        "step.module",
    },
    "steps/fan_out/parts.py": {"fanned.module"},
}
BY_NAME = "importlib.import_module"
#: Of modules that import by name: what does not. Metadata and files of packages, whether one is there, which there are.
HARMLESS = ("importlib.metadata", "importlib.resources", "importlib.util.find_spec", "pkgutil.iter_modules")
#: Modules that import, or run, what they are given by name.
RUNNERS = {"builtins", "code", "codeop", "imp", "importlib", "pkgutil", "pydoc", "runpy", "zipimport"}
#: Of other modules, what does, or hands out what others imported.
ROUNDABOUT = (
    "importlib.metadata.EntryPoint",
    "importlib.metadata.entry_points",
    "logging.config",
    "sys.modules",
    "unittest.mock",
)
#: Says of a library that it is not there.
ABSENT = "sys.modules.setdefault"
#: Names that do, wherever they come from.
RUNNING = {"__builtins__", "__import__", "__loader__", "__spec__", "import_module"}
#: Functions of Python itself that run a text; elsewhere such names are fields.
RUNNING_TEXT = {"compile", "eval", "exec"}


def whole_names(tree: ast.Module) -> Iterator[str]:
    """Yield all that is read, by the name under which it was imported: `later.x` of `import importlib as later` is `importlib.x`."""
    nodes, imported = list(ast.walk(tree)), {}
    for node in nodes:
        if isinstance(node, ast.Import):
            imported |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom):
            imported |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    inner = {id(node.value) for node in nodes if isinstance(node, ast.Attribute)}
    for node in nodes:
        if id(node) in inner or not isinstance(getattr(node, "ctx", None), ast.Load):
            continue
        rest, begin = [], node
        while isinstance(begin, ast.Attribute):
            rest.append(begin.attr)
            begin = begin.value
        first = imported.get(begin.id, begin.id) if isinstance(begin, ast.Name) else ""
        yield ".".join([first, *reversed(rest)])


def imports_by_name(text: str) -> list[str]:
    """Return what imports or runs by name, or by a text, as `whole_names` has it."""
    tree = ast.parse(text)
    known = {name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for name in names_of(node)}
    known |= {node.module.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    found = set()
    for whole in whole_names(tree):
        parts = whole.split(".")
        runs = RUNNING & set(parts) or whole in RUNNING_TEXT or parts[0] in RUNNERS & known
        roundabout = within(whole, ROUNDABOUT) and whole != ABSENT and parts[0] in known
        if (runs and not within(whole, HARMLESS)) or roundabout:
            found.add(whole)
    return sorted(found)


def within(whole: str, names: tuple[str, ...]) -> bool:
    """Tell whether a dotted name is one of these, or of what they hold."""
    return f"{whole}.".startswith(tuple(f"{name}." for name in names))


def names_of(node: ast.Import) -> list[str]:
    return [alias.name for alias in node.names]


#: What a module may write to import by name, and by what it is found out.
DODGES = {
    "import importlib\nimportlib.import_module(x)": ["importlib.import_module"],
    "import importlib as later\nlater.import_module(x)": ["importlib.import_module"],
    "from importlib import import_module as load\nload(x)": ["importlib.import_module"],
    "from importlib import import_module\nload = import_module": ["importlib.import_module"],
    "import importlib as later\ngetattr(later, 'import_' + 'module')(x)": ["importlib"],
    "import importlib.metadata\ngetattr(importlib, name)(x)": ["importlib"],
    "from importlib import util\nutil.spec_from_file_location(x, y)": ["importlib.util.spec_from_file_location"],
    "from importlib.util import module_from_spec as load\nload(x)": ["importlib.util.module_from_spec"],
    "from importlib.machinery import SourceFileLoader\nSourceFileLoader(x)": ["importlib.machinery.SourceFileLoader"],
    "from lesionflow.steps import import_module as load\nload(x)": ["lesionflow.steps.import_module"],
    "from lesionflow import steps\nsteps.import_module(x)": ["lesionflow.steps.import_module"],
    "__import__(x)": ["__import__"],
    "load = __import__": ["__import__"],
    "__builtins__['__import__'](x)": ["__builtins__"],
    "import builtins as b\nb.exec(x)": ["builtins.exec"],
    "from builtins import __import__ as load\nload(x)": ["builtins.__import__"],
    "__loader__.load_module(x)": ["__loader__.load_module"],
    "import runpy as later\nlater.run_module(x)": ["runpy.run_module"],
    "from runpy import run_path as later\nlater(x)": ["runpy.run_path"],
    "import pkgutil\npkgutil.resolve_name(x)": ["pkgutil.resolve_name"],
    "import pkgutil as p\np.walk_packages()": ["pkgutil.walk_packages"],
    "from pkgutil import resolve_name as load\nload(x)": ["pkgutil.resolve_name"],
    "from pydoc import locate\nlocate(x)": ["pydoc.locate"],
    "exec(x)": ["exec"],
    "run = eval": ["eval"],
    "compile(x, y, 'exec')": ["compile"],
    "from importlib.metadata import entry_points\nentry_points(x)": ["importlib.metadata.entry_points"],
    "import sys\nsys.modules['mlflow']": ["sys.modules"],
    "from sys import modules as there\nthere.get(x)": ["sys.modules.get"],
    "import logging.config\nlogging.config.dictConfig(x)": ["logging.config.dictConfig"],
    # What imports nothing.
    "import sys\nsys.modules.setdefault('mlflow', None)": [],
    "import importlib.metadata\nimportlib.metadata.version(x)": [],
    "from importlib.metadata import version\nfrom importlib import resources\nresources.files(version(x))": [],
    "import importlib.util\nimportlib.util.find_spec(x)": [],
    "from importlib.util import find_spec\nfind_spec(x)": [],
    "import pkgutil\npkgutil.iter_modules(x)": [],
    "import re\nnetwork.eval()\nre.compile(x)\nrequest.code": [],
    "class Config:\n    compile: bool": [],
}


@pytest.mark.parametrize("text", DODGES)
def test_an_import_by_name_is_seen_under_any_other(text: str) -> None:
    assert imports_by_name(text) == DODGES[text]


def test_only_tables_import_by_name() -> None:
    tables = {PACKAGE / name for name in TABLES}
    found = {path: imports_by_name(path.read_text(encoding="utf-8")) for path in FILES}
    stray = [
        f"{path.relative_to(ROOT)} takes {name}: import by a statement, which the contracts see"
        for path, names in found.items()
        for name in names
        if path not in tables or name != BY_NAME
    ]
    assert not stray, "\n".join(stray)
    idle = [path.relative_to(ROOT).as_posix() for path in sorted(tables) if not found.get(path)]
    assert not idle, f"{idle} import nothing by name: take them from TABLES"


@pytest.mark.parametrize("name", TABLES)
def test_a_table_imports_its_own_entries_alone(name: str) -> None:
    uses = list(ast.walk(ast.parse((PACKAGE / name).read_text(encoding="utf-8"))))
    given = {
        ast.unparse(node.args[0])
        for node in uses
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "import_module"
    }
    assert given == TABLES[name], f"{name} imports what TABLES does not say of it: {sorted(given ^ TABLES[name])}"
    # What is not called there can be called elsewhere.
    n_names = sum(getattr(node, "id", "") == "import_module" for node in uses)
    n_calls = sum(isinstance(node, ast.Call) and getattr(node.func, "id", "") == "import_module" for node in uses)
    assert n_names == n_calls, f"{name} hands import_module on: call it there"
