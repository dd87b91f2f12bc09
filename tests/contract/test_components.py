"""A Kubeflow component declares and calls: what it would compute itself, no other surface would do, and no test of a step would see."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "components"
COMPONENTS = sorted(FOLDER.glob("*/component.py"))
#: What a component takes at its top, to declare itself, and in its body, beside the package: folders and paths.
AT_TOP = {"kfp.dsl", "typing.List", "components.image.IMAGE"}
IN_BODY = {"pathlib.Path", "tempfile.TemporaryDirectory"}
#: The entrances to the package: the steps, and what runs around them on a cluster. Each other room is a step's to call.
ENTRANCES = {
    "lesionflow.cohort.shard.Shard",
    "lesionflow.config.Settings",
    "lesionflow.registry.abandoned_runs.close_left_open",
    "lesionflow.steps.fan_out.sweep.choose_candidate",
    "lesionflow.steps.fan_out.sweep.train_candidate",
    "lesionflow.steps.fan_out.parts.join_parts",
    "lesionflow.steps.fan_out.parts.run_part",
    "lesionflow.steps.pinned_split.pin_of",
    "lesionflow.steps.pinned_split.take_pinned",
    "lesionflow.steps.run_step",
    "lesionflow.workspace.data_at_revision.find_revision",
    "lesionflow.workspace.data_at_revision.studies_at",
}
#: Expressions that hand on what is there.
HANDS_ON = (ast.Attribute, ast.Constant, ast.Dict, ast.List, ast.Load, ast.Name, ast.Store, ast.keyword)
NOTHING = ast.Module([], [])


def taken(nodes: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    """Yield each name that is imported: in whole, and as it is called."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((alias.name, alias.asname or alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = f"{'.' * node.level}{node.module or ''}"
            yield from ((f"{module}.{alias.name}", alias.asname or alias.name) for alias in node.names)


def faults_of(text: str) -> list[str]:
    """Return what a component has beside its declaration, its imports, one block that calls a step, metadata and an answer."""
    top = ast.parse(text).body
    functions = [node for node in top if isinstance(node, ast.FunctionDef)]
    imports = [node for node in top if isinstance(node, ast.Import | ast.ImportFrom)]
    faults = [f"imports {name} at its top" for name, _ in taken(imports) if name not in AT_TOP]
    faults += [f"has {said(node)} at its top" for node in top[1:] if node not in [*functions, *imports]]
    if len(functions) != 1:
        return [*faults, f"has {len(functions)} functions at its top"]
    (function,) = functions
    decorators = [ast.unparse(node) for node in function.decorator_list]
    if decorators != ["dsl.component(base_image=IMAGE, install_kfp_package=False)"]:
        faults.append(f"is decorated by {decorators}")
    return [*faults, *faults_of_body(function)]


def faults_of_body(function: ast.FunctionDef) -> Iterator[str]:
    lines = list(function.body[ast.get_docstring(function) is not None :])
    imports = [line for line in lines if isinstance(line, ast.Import | ast.ImportFrom)]
    yield from (f"imports {name}" for name, _ in taken(imports) if name not in {*IN_BODY, *ENTRANCES})
    # Read once, where the pipeline is compiled: a default says what is given, and asks nobody.
    for default in [*function.args.defaults, *filter(None, function.args.kw_defaults)]:
        yield from (f"{fault} as a default" for fault in computes(default, set()))
    callable_ = {called for _, called in taken(imports)}
    outputs = {
        argument.arg
        for argument in function.args.args
        if argument.annotation and "dsl.Output" in ast.unparse(argument.annotation)
    }
    lines = [line for line in lines if line not in imports]
    answer = lines.pop() if lines and isinstance(lines[-1], ast.Return) else None
    updates = [line for line in lines if updates_metadata(line, outputs)]
    blocks = [line for line in lines if line not in updates]
    if updates and lines[-len(updates) :] != updates:
        yield "updates metadata before it is done"
    if len(blocks) + (not blocks and answer is not None) != 1:
        yield f"has {len(blocks)} blocks: {'; '.join(map(said, blocks))}"
    for block in blocks:
        yield from faults_of_block(block, function, callable_)
    yield from computes(answer, callable_)


def faults_of_block(block: ast.stmt, function: ast.FunctionDef, callable_: set[str]) -> Iterator[str]:
    """A call, whose counts may be kept; or the same within a folder that is there as long, with an argument as a file in it."""
    if isinstance(block, ast.With) and len(block.items) == 1:
        yield from computes(block.items[0], callable_)
        *files, block = block.body
        if files and not keeps_an_argument(files, {argument.arg for argument in function.args.args}):
            yield f"has {'; '.join(map(said, files))} beside its call"
    called = block.value if isinstance(block, ast.Assign | ast.Expr) else None
    if not isinstance(called, ast.Call) or getattr(called.func, "id", "") not in callable_:
        yield f"has {said(block)} where a step is called"
    yield from computes(block, callable_)


def updates_metadata(line: ast.stmt, outputs: set[str]) -> bool:
    return ast.unparse(line) in {f"{output}.metadata.update(counts)" for output in outputs}


def keeps_an_argument(lines: list[ast.stmt], arguments: set[str]) -> bool:
    """Tell whether lines write a text that came as an argument to a file, and no more."""
    told = [ast.unparse(line) for line in lines]
    return any(
        told == [f"{name} = Path(folder) / {file!r}", f"{name}.write_text({argument}, encoding='utf-8')"]
        for line in lines
        if isinstance(line, ast.Assign) and isinstance(line.value, ast.BinOp)
        for name, file in [(ast.unparse(line.targets[0]), getattr(line.value.right, "value", ""))]
        for argument in arguments
    )


def computes(line: ast.AST | None, callable_: set[str]) -> Iterator[str]:
    """Yield what does more than hand on: all but names, attributes, constants, lists of paths, and calls of what was imported."""
    for node in ast.walk(line or NOTHING):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in callable_:
            continue
        if isinstance(node, ast.ListComp) and [ast.unparse(node)] == [
            f"[Path(part.path) for part in {ast.unparse(node.generators[0].iter)}]"
        ]:
            continue
        if isinstance(node, (*HANDS_ON, ast.comprehension, ast.stmt, ast.withitem, ast.Module)):
            continue
        yield f"computes {said(node)}"


def said(node: ast.AST) -> str:
    return ast.unparse(node).partition("\n")[0]


def test_there_are_components_and_nothing_else() -> None:
    assert len(COMPONENTS) > 15
    stray = sorted(set(FOLDER.rglob("*.py")) - {*COMPONENTS, FOLDER / "image.py"})
    assert not stray, (
        f"{[path.relative_to(ROOT).as_posix() for path in stray]}: a component is components/<name>/component.py"
    )


@pytest.mark.parametrize("path", COMPONENTS, ids=lambda path: path.parent.name)
def test_a_component_declares_and_calls(path: Path) -> None:
    faults = faults_of(path.read_text(encoding="utf-8"))
    assert not faults, f"{path.relative_to(ROOT)} {', '.join(faults)}: move it into the step, or below"


def test_every_entrance_is_used() -> None:
    used = {
        name for path in COMPONENTS for name, _ in taken(list(ast.walk(ast.parse(path.read_text(encoding="utf-8")))))
    }
    assert not {*AT_TOP, *IN_BODY, *ENTRANCES} - used


WHOLE = """from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def plan_step(cases: dsl.Input[dsl.Dataset], params: str, plan: dsl.Output[dsl.Artifact]) -> None:
    from pathlib import Path

    from lesionflow.steps import run_step

    counts = run_step("plan", params, {"cases": Path(cases.path)}, {"plan": Path(plan.path)})
    plan.metadata.update(counts)
"""
CALL, UPDATE = "    counts = run_step", "    plan.metadata.update(counts)"
#: What a component may not do, and by what it is found out.
COMPUTING = {
    "a line more": (CALL, f"    params['seed'] = 3\n{CALL}", "has 2 blocks: params['seed'] = 3; counts = run_step"),
    "a condition": (CALL, f"    if params:\n    {CALL}", "has if params: where a step is called"),
    "a loop": (CALL, f"    for _ in range(3):\n    {CALL}", "has for _ in range(3): where a step is called"),
    "a change of params": ("params, {", "{**params, 'seed': len(params)}, {", "computes len(params)"),
    "one of two": ("params, {", "params or {}, {", "computes params or {}"),
    "a part of params": ("params, {", "params['plan'], {", "computes params['plan']"),
    "a file read": ("params, {", "Path(cases.path).read_text(), {", "computes Path(cases.path).read_text()"),
    "figures of its own": ("update(counts)", "update({k: v * 2 for k, v in counts.items()})", "has 2 blocks"),
    "metadata first": (CALL, f"{UPDATE}\n{CALL}", "updates metadata before it is done"),
    "no step at all": (CALL + "(", "    counts = dict(", "where a step is called"),
    "two steps": (UPDATE, f"{CALL}('split')\n{UPDATE}", "has 2 blocks"),
    "another library": ("    from pathlib", "    import pandas\n    from pathlib", "imports pandas"),
    "the standard library's": ("    from pathlib", "    import shutil\n    from pathlib", "imports shutil"),
    "a room below": (
        "    from pathlib",
        "    from lesionflow.planning.sizes import choose\n    from pathlib",
        "imports lesionflow.planning.sizes.choose",
    ),
    "a module beside it": (
        "from kfp import dsl",
        "from kfp import dsl\nfrom . import more",
        "imports ..more at its top",
    ),
    "a constant": ("@dsl", "SEED = 3\n\n\n@dsl", "has SEED = 3 at its top"),
    "a helper": ("@dsl", "def more():\n    return 3\n\n\n@dsl", "has 2 functions at its top"),
    "another image": ("base_image=IMAGE", "base_image='python', packages_to_install=['pandas']", "is decorated by"),
    "a default that is looked up": (
        "Artifact])",
        "Artifact], more: str = str(IMAGE))",
        "computes str(IMAGE) as a default",
    ),
    "a default that is computed": (
        "Artifact])",
        "Artifact], more: str = 'a' + 'b')",
        "computes 'a' + 'b' as a default",
    ),
    "an answer of its own": (UPDATE, f"{UPDATE}\n    return counts['n'] > 3", "computes counts['n'] > 3"),
}


@pytest.mark.parametrize("name", COMPUTING)
def test_a_component_that_computes_is_refused_by_what_it_does(name: str) -> None:
    old, new, told = COMPUTING[name]
    assert faults_of(WHOLE) == []
    assert WHOLE.count(old) == 1
    faults = faults_of(WHOLE.replace(old, new))
    assert any(told in fault for fault in faults), faults
