"""The rules of the house, each checked where it can be broken: size, names, docstrings, what never stands in the package."""

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "lesionflow"
FILES = sorted(PACKAGE.rglob("*.py"))
PACKAGES = sorted(path.parent for path in FILES if path.name == "__init__.py")
MOST_MODULES, MOST_LINES, MOST_BODY_LINES = 15, 300, 50
#: Names that say nothing of what a module holds.
NAMELESS = {"utils", "util", "common", "helpers", "helper", "core", "misc", "base", "tools"}
#: Names that mean the same in all these rooms: each entry is what one table calls in all its modules.
CONVENTIONAL = {
    "ENDINGS": (("io.images",), "the names' ends of each format's files"),
    "METRICS": (("metrics",), "what the table METRICS asks every module for"),
    "READ_FAULTS": (
        ("io.dicom", "io.images"),
        "what a library raises at a broken file, to catch at the reader's border",
    ),
    "add_commands": (("cli",), "what `cli` asks every module of commands for"),
    "detect": (("io.layouts", "io.dicom.studies"), "what READERS asks every layout: is it yours?"),
    "downgrade": (("jobs.migrations.versions",), "what Alembic asks every change of the tables for: the way back"),
    "find_studies": (("io.layouts", "io.dicom.studies"), "what READERS asks every layout: which studies?"),
    "main": (("",), "what is started: a command's or a process's entry point"),
    "read_mask": (("io.images",), "what `io.images` asks every format for"),
    "read_study": (("io.layouts", "io.dicom.studies"), "what READERS asks every layout: what is in this study?"),
    "read_volume": (("io.images",), "what `io.images` asks every format for"),
    "run": (("steps",), "what STEPS asks every step for"),
    "upgrade": (("jobs.migrations.versions",), "what Alembic asks every change of the tables for"),
}
#: Of a thing that has several forms: nothing else is called so, not even within a module.
TABLES = {"ARCHITECTURES", "FANNED", "LOSSES", "METRICS", "READERS", "STEPS", "WRITERS"}
#: A docstring of fewer words says one half.
FEWEST_WORDS = 8
#: What draws a line in a sentence: that something is not there, or where it is instead. `only` says one half.
BOUNDS = re.compile(
    r"\b((no|nobody|not|nothing|never|none|outside|without)|belongs? (to|beside)|lies? (in|one level above))\b",
    re.IGNORECASE,
)
#: Names that several modules have: how many, and why nobody who looks for one is misled by another.
SHARED_NAMES = {
    "__main__": (3, "Python's own: what `-m` starts"),
    "build": (2, "makes what ships in its folder: params, change plans"),
    "bundles": (
        2,
        "`io.bundles` is called by programs that 0.1 stored with models; new code takes `io.stores.bundles`",
    ),
    "calibration": (2, "the noun, and what `train` does to fit it; the fits themselves are a room of this name"),
    "cascade": (2, "whether one is worth its time, and its weights in one table"),
    "evaluations": (2, "one noun on disk and in MLflow"),
    "intensity": (2, "changed at random in `augmentation`, brought to the network's in `preprocessing`"),
    "ledger": (2, "one line of it as a noun, and the file"),
    "nifti": (3, "one format: its reader, its line in the table of outputs, and a name for programs that 0.1 stored"),
    "nnunet": (2, "as a layout of files, and as a program that is asked"),
    "plausibility": (2, "of values in DICOM, which have units, and in files that have none"),
    "report": (5, "a page of its own in each room that reports"),
    "rtstruct": (3, "one format: read in `io`, written for phantoms, a line in the table of outputs"),
    "seg": (2, "one format: read and written in `io`, written for phantoms, so that each tests the other"),
    "series": (2, "one noun: stacked in `io`, written for phantoms"),
    "settings": (2, "of all processes, and of the service alone"),
    "shared_state": (2, "what a registered model shares: snapshots in the registry, split and ledger in steps"),
    "split": (2, "the noun, and the step that makes it"),
    "step": (5, "where a step of several modules begins"),
    "studies": (2, "read from DICOM, and by `ingest` from any layout"),
    "study": (2, "a phantom's, as values, and one that is predicted on"),
    "transfer": (2, "where first weights come from, and how they are put into a network"),
    "volume": (2, "the noun, and the metrics of its size"),
}
#: Packages whose own name draws it.
BOUNDLESS: set[str] = set()


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function's body, its docstring apart."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def names_at_top(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield what a module defines at its top: the name, and of a constant what it is, so that one value is one thing."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, ""
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value:
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                    yield from (
                        (ast.unparse(one), ast.unparse(of))
                        for one, of in zip(target.elts, node.value.elts, strict=True)
                    )
                else:
                    yield ast.unparse(target), ast.unparse(node.value)


def taken_by_others(trees: Iterable[ast.Module], modules: set[str]) -> set[tuple[str, str]]:
    """Return the names that modules take of others: by `from x import NAME`, and by `x.NAME` of a module."""
    found = set()
    for tree in trees:
        called = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                wholes = {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
                called |= {name: whole for name, whole in wholes.items() if whole in modules}
                found |= {(node.module, alias.name) for alias in node.names}
        found |= {
            (called[node.value.id], node.attr)
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in called
        }
    return found


def offered(trees: Mapping[str, ast.Module]) -> dict[str, dict[str, str]]:
    """Return what each public name stands for, by module: classes, functions, tables, and constants that another module takes.

    A constant of one module alone is that module's own.
    """
    taken = taken_by_others(trees.values(), set(trees))
    found = defaultdict(dict)
    for module, tree in trees.items():
        for name, value in names_at_top(tree):
            if not name.startswith("_") and (not value or name in TABLES or (module, name) in taken):
                found[name][module] = value
    return found


def homonyms(trees: Mapping[str, ast.Module]) -> dict[str, list[str]]:
    """Return the names that stand for two things, with their modules. Constants of one value are one."""
    return {
        name: sorted(places)
        for name, places in offered(trees).items()
        if len(places) > 1 and (len(set(places.values())) > 1 or "" in places.values())
    }


def module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def package() -> dict[str, ast.Module]:
    return {module_of(path): tree_of(path) for path in FILES}


def lists(found: list[str]) -> str:
    return "\n".join(found)


def test_no_package_is_flat_and_wide() -> None:
    sizes = {name_of(package): len(list(package.glob("*.py"))) for package in PACKAGES}
    wide = [
        f"{name} has {n} modules: part it by what belongs together" for name, n in sizes.items() if n > MOST_MODULES
    ]
    assert not wide, lists(wide)


def test_every_package_says_what_belongs_in_it_and_what_does_not() -> None:
    faults = []
    for package in PACKAGES:
        said = (ast.get_docstring(ast.parse((package / "__init__.py").read_text())) or "").split("\n\n")[0]
        if not said.endswith(".") or len(said.split()) < FEWEST_WORDS:
            faults.append(
                f"{name_of(package)}: say in a sentence what belongs there, and what does not; found {said!r}"
            )
        elif not BOUNDS.search(said) and name_of(package) not in {*BOUNDLESS, "."}:
            faults.append(f"{name_of(package)}: say what does not belong there; found {said!r}")
    assert not faults, lists(faults)


def test_no_module_is_long() -> None:
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in FILES}
    too_long = {name: n for name, n in lengths.items() if n > MOST_LINES}
    found = [f"{name} has {n} lines: part it" for name, n in too_long.items()]
    assert not found, lists(found)


def test_no_function_is_long() -> None:
    found = [
        f"{name_of(path)}:{node.name} has a body of {body_lines(node)} lines: part it"
        for path in FILES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and body_lines(node) > MOST_BODY_LINES
    ]
    assert not found, lists(found)


def forbidden(node: ast.AST) -> str:
    """Say what never stands in the package, and why; nothing of the rest."""
    if isinstance(node, ast.Assert):
        return "asserts, which `python -O` leaves out: raise one of ours"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
        return "prints: log it, or write what was asked for to stdout"
    if isinstance(node, ast.ExceptHandler) and node.type is None:
        return "catches everything, Ctrl-C included: name what may happen"
    return ""


def test_nothing_asserts_prints_or_catches_everything() -> None:
    found = [
        f"{name_of(path)}:{node.lineno} {forbidden(node)}"
        for path in FILES
        for node in ast.walk(tree_of(path))
        if forbidden(node)
    ]
    assert not found, lists(found)


def test_a_modules_name_says_what_it_holds() -> None:
    found = [
        f"{name_of(path)}: name it after what belongs in it, so that the rest does not"
        for path in FILES
        if NAMELESS & set(path.relative_to(PACKAGE).with_suffix("").parts)
    ]
    assert not found, lists(found)


def is_conventional(name: str, places: Iterable[str]) -> bool:
    """Tell whether a convention of `CONVENTIONAL` covers all modules that have the name."""
    rooms, _ = CONVENTIONAL.get(name, ((), ""))
    return all(any(f"{place}.".startswith(f"lesionflow.{room}") for room in rooms) for place in places)


def test_a_name_stands_for_one_thing() -> None:
    found = {name: places for name, places in homonyms(package()).items() if not is_conventional(name, places)}
    told = [f"{name} is of {', '.join(places)}" for name, places in found.items()]
    assert not told, f"two things of one name:\n{lists(told)}\nrename the less central one"


#: Modules of a scratch package, and what is found of two names in it.
PAIRS = {
    "two classes": ("class Box: ...", "class Box: ...", True),
    "a class and a function": ("class Box: ...", "def Box(): ...", True),
    "two functions": ("def page(): ...", "def page(): ...", True),
    "one of them async": ("def page(): ...", "async def page(): ...", True),
    "a class and an alias": ("class Box: ...", "Box = tuple[int, int]", True),
    "constants": ("LIMIT = 3", "LIMIT = 4", True),
    "with types": ("LIMIT: int = 3", "LIMIT: float = 4.0", True),
    "several at once": ("LIMIT, MORE = 3, 4", "LESS, LIMIT = 2, 5", True),
    "one value": ("LIMIT = 3", "LESS, LIMIT = 2, 3", False),
    "private": ("_LIMIT = 3", "_LIMIT = 4", False),
}


@pytest.mark.parametrize("name", PAIRS)
def test_two_things_of_one_name_are_seen(name: str) -> None:
    one, other, seen = PAIRS[name]
    user = "from a import LIMIT, _LIMIT, Box, page\nimport b\nfrom lesionflow import b\nb.LIMIT, b.Box\n"
    trees = {"a": ast.parse(one), "lesionflow.b": ast.parse(other), "c": ast.parse(user)}
    assert bool(homonyms(trees)) == seen


def test_a_convention_holds_in_its_rooms_alone() -> None:
    assert is_conventional("METRICS", ["lesionflow.metrics", "lesionflow.metrics.overlap"])
    assert not is_conventional("METRICS", ["lesionflow.metrics", "lesionflow.training.recording"])
    assert not is_conventional("Box", ["lesionflow.metrics", "lesionflow.metrics.overlap"])


def test_constants_of_one_module_are_its_own_but_not_a_tables_name() -> None:
    trees = {"a": ast.parse("LIMIT = 3\nSTEPS = {}"), "b": ast.parse("LIMIT = 4\nSTEPS = 48")}
    assert homonyms(trees) == {"STEPS": ["a", "b"]}


def test_a_modules_name_is_its_own_or_shared_for_a_reason() -> None:
    """Who looks for one module by its name must not find another: a further one of a name is a decision."""
    found = Counter(path.stem for path in FILES if path.name != "__init__.py")
    repeated = {name: n for name, n in found.items() if n > 1}
    expected = {name: n for name, (n, _) in SHARED_NAMES.items()}
    places = {
        name: [name_of(path) for path in FILES if path.stem == name]
        for name in {**repeated, **expected}
        if repeated.get(name) != expected.get(name)
    }
    assert not places, f"{places}: name the less central one after what it holds, or say in SHARED_NAMES why not"


def test_every_folder_of_modules_is_a_package() -> None:
    """Contracts see packages alone: what lies in another folder may import what it likes."""
    folders = {path.parent for path in FILES}
    found = [
        f"{name_of(folder)} has no __init__.py: the import contracts do not see it" for folder in folders - {*PACKAGES}
    ]
    assert not found, lists(found)


def strangers(source: Path) -> list[str]:
    """Say what a source folder holds beside the package: no contract sees it, and the wheel would install it."""
    return [
        f"src/{path.name}: move it into lesionflow, or out of src"
        for path in sorted(source.iterdir())
        if path.name != "lesionflow" and not path.name.endswith(".egg-info") and path.name != "__pycache__"
    ]


def test_src_holds_one_package(tmp_path: Path) -> None:
    assert not strangers(PACKAGE.parent), lists(strangers(PACKAGE.parent))
    for name in ("lesionflow", "lesionflow.egg-info", "other", "lesionflow_extra"):
        (tmp_path / name).mkdir()
    (tmp_path / "loose.py").touch()
    assert [said.partition(":")[0] for said in strangers(tmp_path)] == [
        "src/lesionflow_extra",
        "src/loose.py",
        "src/other",
    ]


def test_conventional_names_are_shared() -> None:
    assert set(CONVENTIONAL) - set(homonyms(package())) == set()


def test_tables_are_those_of_the_plan_of_the_house() -> None:
    text = (ROOT / "docs/design.md").read_text(encoding="utf-8")
    said = text.partition("**A thing that has several forms is one table**")[2].partition("\n\n")[0]
    assert set(re.findall(r"`([A-Z]+)`", said)) == TABLES


def test_the_rules_see_what_breaks_them() -> None:
    """The measures themselves, by hand."""
    (function,) = ast.parse('def f():\n    """Say.\n\n    More.\n    """\n    one = 1\n\n    return one\n').body
    assert body_lines(function) == 3
    (documented,) = ast.parse('def f():\n    """Say."""\n').body
    assert body_lines(documented) == 0
    code = "assert x\nprint(1)\ntry:\n    y\nexcept:\n    z\ntry:\n    y\nexcept ValueError:\n    log.print(1)\n"
    said = [forbidden(node).split()[0] for node in ast.walk(ast.parse(code)) if forbidden(node)]
    assert sorted(said) == ["asserts,", "catches", "prints:"]
    one_half = "The only list.", "What clients apply to a piano.", "What belongs in a list.", "Notes lie there."
    both = "Nothing of files.", "A list. Files belong to `io`.", "A list; files lie in `io`.", "Notes, never files."
    assert [said for said in (*one_half, *both) if BOUNDS.search(said)] == [*both]
