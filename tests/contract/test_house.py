"""The rules of the house, each checked where it can be broken: size, names, docstrings, what never stands in the package."""

import ast
import re
from collections import defaultdict
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "lesionflow"
FILES = sorted(PACKAGE.rglob("*.py"))
PACKAGES = sorted(path.parent for path in FILES if path.name == "__init__.py")
MOST_MODULES, MOST_LINES, MOST_BODY_LINES = 15, 300, 50
#: Names that say nothing of what a module holds.
NAMELESS = {"utils", "util", "common", "helpers", "helper", "core", "misc", "base", "tools"}
#: Names that mean the same wherever they stand: each entry is what one table calls in all its modules.
CONVENTIONAL = {
    "add_commands": "what `cli` asks every module of commands for",
    "detect": "what `layouts.recognition.READERS` asks every layout: is it yours?",
    "find_studies": "what READERS asks every layout: which studies?",
    "main": "what is started: a command's or a process's entry point",
    "read_mask": "what `io.images` asks every format for",
    "read_study": "what READERS asks every layout: what is in this study?",
    "read_volume": "what `io.images` asks every format for",
    "run": "what STEPS asks every step for",
}
#: A docstring of fewer words says one half.
FEWEST_WORDS = 8
#: What draws a line in a sentence: that something is not there, or where it is instead. `only` says one half.
BOUNDS = re.compile(
    r"\b((no|nobody|not|nothing|never|none|outside|without)|belongs? (to|beside)|lies? (in|one level above))\b",
    re.IGNORECASE,
)
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


def definitions() -> dict[str, list[str]]:
    """Modules by the public classes and functions that each defines at its top."""
    found = defaultdict(list)
    for path in FILES:
        for node in tree_of(path).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
                found[node.name].append(name_of(path))
    return found


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


def test_a_name_stands_for_one_thing() -> None:
    twice = {name: places for name, places in definitions().items() if len(places) > 1}
    found = {name: places for name, places in twice.items() if name not in CONVENTIONAL}
    assert not found, f"two things of one name: {found}; rename the less central one"


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
    shared = {name for name, places in definitions().items() if len(places) > 1}
    assert set(CONVENTIONAL) - shared == set()


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
