"""Where a module is tested can be told from its name: `tests/unit` mirrors the package."""

import ast
from importlib import import_module
from pathlib import Path

import pytest

from lesionflow.data.plan import ArchitecturePlan
from lesionflow.models import ARCHITECTURES, build_model

ROOT = Path(__file__).resolve().parents[2]
PACKAGE, UNIT = ROOT / "src" / "lesionflow", ROOT / "tests" / "unit"

#: Rooms whose modules are entries of a table, each tested by the table's own parametrized test:
#: `tests/contract/test_output_formats.py` every writer, `tests/unit/models/test_architectures.py` every network. A module of
#: `METRICS` is one too, wherever it stands in `metrics`: `tests/unit/metrics/test_values.py` has a value of each by hand.
#: `tests/unit/jobs/test_tables.py` runs every migration.
ROOMS_OF_A_TABLE = ("prediction/writers/", "models/networks/", "jobs/migrations/")
#: What stands in such a room and is no entry.
NO_ENTRIES = {"models/networks/encoder_unet"}
#: Modules that are started, never imported: what they start is tested where it is defined.
STARTED = {"__main__", "inference/foreign/nnunet_program", "serving/__main__", "serving/service", "pacs/__main__"}
#: Test files of a whole table: every entry of it goes through each test.
OF_TABLES = {"metrics/test_values.py", "models/test_architectures.py", "training/test_every_architecture.py"}


def path_of_test(module: str) -> str:
    """`io/files` -> `io/test_files.py`; a package's own code, `io` -> `io/test_init.py`."""
    path = Path(module)
    named = path / "test_init.py" if (PACKAGE / path).is_dir() else path.with_name(f"test_{path.name}.py")
    return named.as_posix()


def modules() -> list[str]:
    files = (path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))
    return sorted(path.with_suffix("").as_posix() for path in files if path.name != "__init__.py")


def packages() -> list[str]:
    return sorted(path.parent.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("__init__.py"))


def is_owed(module: str) -> bool:
    """Tell whether a module must have a test file of its own."""
    is_entry = module.startswith(ROOMS_OF_A_TABLE) and module not in NO_ENTRIES
    return not is_entry and not has_metrics(module) and module not in STARTED


def has_metrics(module: str) -> bool:
    named = module.replace("/", ".")
    return module.startswith("metrics/") and hasattr(import_module(f"lesionflow.{named}"), "METRICS")


def unit_tests() -> set[str]:
    return {path.relative_to(UNIT).as_posix() for path in UNIT.rglob("test_*.py")}


def asks(text: str) -> bool:
    """Tell whether a test file has a test, at its top or in a class, that does more than pass."""
    top = ast.parse(text).body
    inside = [node for kind in top if isinstance(kind, ast.ClassDef) for node in kind.body]
    tests = [
        node
        for node in (*top, *inside)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    ]
    # A docstring, `...` and `pass` ask nothing.
    idle = (ast.Pass, ast.Constant)
    return any(not isinstance(getattr(line, "value", line), idle) for test in tests for line in test.body)


def has_test(module: str) -> bool:
    path = UNIT / path_of_test(module)
    return path.is_file() and asks(path.read_text(encoding="utf-8"))


def test_every_module_has_a_test_file_of_its_name() -> None:
    owed = [name for name in modules() if is_owed(name)]
    missing = [
        f"src/lesionflow/{name}.py has no tests/unit/{path_of_test(name)} with a test in it: write it, or move its tests there"
        for name in owed
        if not has_test(name)
    ]
    assert not missing, "\n".join(missing)


def test_no_test_file_is_hollow() -> None:
    hollow = [
        f"tests/unit/{path} has no `def test_` that asks anything: write it, or take the file away"
        for path in sorted(unit_tests())
        if not asks((UNIT / path).read_text(encoding="utf-8"))
    ]
    assert not hollow, "\n".join(hollow)


@pytest.mark.parametrize(
    "text",
    [
        "",
        '"""Tests of a module."""\n\nimport lesionflow\n',
        "def check():\n    assert True\n",
        "def test_nothing():\n    pass\n",
        'def test_nothing():\n    """Later."""\n    ...\n',
        "class Of:\n    def test_nothing(self):\n        ...\n",
    ],
)
def test_a_file_without_a_test_asks_nothing(text: str) -> None:
    assert not asks(text)
    assert asks(f"{text}\n\ndef test_it():\n    assert 1 == 1\n")
    assert asks(f"{text}\n\nclass TestIt:\n    def test_it(self):\n        assert 1 == 1\n")


def test_what_has_got_a_test_is_no_exception() -> None:
    paid = [f"{name} has tests/unit/{path_of_test(name)} by now" for name in sorted(STARTED) if has_test(name)]
    assert not paid, "\n".join(paid) + "\ntake them from the exceptions"


def test_every_test_file_belongs_to_a_module() -> None:
    wanted = {path_of_test(name) for name in (*modules(), *packages())}
    stray = [
        f"tests/unit/{path} belongs to no module: name it as one, or move it to contract, integration or faults"
        for path in sorted(unit_tests() - wanted - OF_TABLES)
    ]
    assert not stray, "\n".join(stray)
    assert not OF_TABLES - unit_tests(), f"{sorted(OF_TABLES - unit_tests())} are gone: take them from the list"


def test_exceptions_are_modules() -> None:
    assert STARTED - set(modules()) == set()


def test_every_module_of_networks_is_an_entry_or_named_as_none() -> None:
    homes = set()
    for name, entry in ARCHITECTURES.items():
        plan = ArchitecturePlan(name=name, options=dict(entry.small_options))
        network = build_model(plan, in_channels=1, out_channels=1, dimensions=entry.dimensions[0])
        homes.add(type(network).__module__.removeprefix("lesionflow.").replace(".", "/"))
    assert homes | NO_ENTRIES == {name for name in modules() if name.startswith("models/networks/")}
