"""The steps stand in several places; each omission is one failing test, which names the file to mend."""

import ast
import inspect
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from ruamel.yaml import YAML

from lesionflow.cli import main
from lesionflow.config import Params, load_params
from lesionflow.config.change_plan import CHANGE_PLAN
from lesionflow.config.presets import PRESETS as PRESETS_FOLDER
from lesionflow.config.presets.change_plans import CHANGE_PLANS
from lesionflow.steps import STEPS
from lesionflow.workspace.layout import PATHS, dvc_yaml, step_command

ROOT = Path(__file__).resolve().parents[2]
PRESETS = sorted(PRESETS_FOLDER.glob("*.yaml"))
#: A step's input that is given from outside, and no step's output, comes by these arguments of its component.
RAW = {
    "raw": {"raw_path", "data_repository", "data_revision", "data_remote"},
    "change_plan": {"change_plan"},
}
#: Steps whose outputs lie in the project store between runs: those that go on from them, and the split, that is pinned.
KEPT = {name for name, step in STEPS.items() if step.continues} | {"split"}
#: Tasks that are no step: they say by content what steps are given.
PINS = {"find-data", "pin-splits"}


def component_of(name: str) -> Any:
    """Return a step's component, made by kfp, which takes its time to load."""
    file = f"components/{name}/component.py"
    assert (ROOT / file).is_file(), (
        f"Expected the component of the step {name} in {file}, found no such file: declare it."
    )
    component = getattr(import_module(f"components.{name}.component"), f"{name}_step", None)
    assert component is not None, f"Expected `{name}_step` in {file}, found none."
    return component


@pytest.fixture(scope="module")
def retrain() -> Any:
    """The pipeline."""
    return import_module("pipelines.retrain").retrain


@pytest.mark.parametrize("name", STEPS)
def test_every_step_has_a_module_with_a_run_of_four_values(name: str) -> None:
    module = STEPS[name].module
    assert find_spec(module), (
        f"Expected the module {module} that STEPS names for the step {name}, found none: write it."
    )
    run: Callable[..., Any] | None = getattr(import_module(module), "run", None)
    expected = ["config", "inputs", "outputs", "settings"]
    found = list(inspect.signature(run).parameters) if run else None
    assert found == expected, f"Expected run({', '.join(expected)}) in {module}, found {found or 'no run'}."


def test_params_have_one_section_a_step() -> None:
    sections = {field.alias or key: field.annotation for key, field in Params.model_fields.items()}
    expected = {name: step.section for name, step in STEPS.items()}
    missing, unknown = (
        [name for name in STEPS if name not in sections],
        [name for name in sections if name not in STEPS],
    )
    assert not missing, (
        f"Expected a field of Params for each step of STEPS, found none for {missing}: give the section its place in "
        "src/lesionflow/config/sections/__init__.py."
    )
    assert not unknown, (
        f"Expected a step for each section of Params, found none for {unknown}: give it its line in STEPS of "
        "src/lesionflow/steps/__init__.py."
    )
    assert list(sections) == list(expected), "Expected the sections of Params in the order of STEPS."
    for name, section in expected.items():
        assert sections[name] is section, (
            f"Expected one class for the section {name}, found {section} in STEPS and {sections[name]} in Params."
        )


def test_every_input_is_an_output_of_an_earlier_step() -> None:
    made = set(RAW)
    for name, step in STEPS.items():
        unmade = [key for key in step.inputs if key not in made]
        assert not unmade, (
            f"Expected an earlier step that makes the inputs {unmade} of the step {name}, found none in STEPS."
        )
        made |= set(step.outputs)
    homeless, stray = sorted(made - set(PATHS)), sorted(set(PATHS) - made)
    assert not homeless, (
        f"Expected a path for each output of a step, found none for {homeless}: say where it lies in PATHS of "
        "src/lesionflow/workspace/layout.py."
    )
    assert not stray, (
        f"Expected a step that makes {stray} of PATHS, found none in STEPS of src/lesionflow/steps/__init__.py."
    )


def test_dvc_yaml_is_current() -> None:
    assert (ROOT / "dvc.yaml").read_text(encoding="utf-8") == dvc_yaml(), (
        "Run `make made`: dvc.yaml is not what STEPS says."
    )


@pytest.mark.parametrize("name", STEPS)
def test_a_dvc_stage_depends_on_its_inputs_and_section_alone(name: str) -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    assert name in stages, f"Run `make made`: dvc.yaml has no stage of the step {name}."
    stage = stages[name]
    assert stage["cmd"] == step_command(name)
    assert stage["deps"] == [PATHS[key] for key in STEPS[name].inputs]
    assert stage["params"] == [name]
    outs = [next(iter(out)) if isinstance(out, dict) else out for out in stage["outs"]]
    assert outs == [PATHS[key] for key in STEPS[name].outputs]


@pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.stem)
def test_yaml_1_1_and_1_2_read_the_same_preset(preset: Path) -> None:
    text = preset.read_text(encoding="utf-8")
    assert yaml.safe_load(text) == YAML(typ="safe").load(text)
    load_params(preset)


def test_the_repository_itself_is_a_workspace_of_the_phantom_preset() -> None:
    same = load_params(ROOT / "params.yaml") == load_params(PRESETS_FOLDER / "phantom_ct.yaml")
    assert same, "Run `make made`: params.yaml is not the preset phantom_ct."
    plan = (ROOT / CHANGE_PLAN).read_bytes() == (CHANGE_PLANS / "phantom_ct.yaml").read_bytes()
    assert plan, "Run `make made`: change_plan.yaml is not that of the preset phantom_ct."


@pytest.mark.parametrize("name", STEPS)
def test_a_component_declares_the_steps_inputs_and_outputs(name: str) -> None:
    component = component_of(name).component_spec
    step = STEPS[name]
    given = set().union(*(RAW.get(key, {key}) for key in step.inputs), {"params"})
    wanted = (given | ({"project_store"} if name in KEPT else set()), set(step.outputs))
    # What a component returns, `Output`, is what another task's cache is keyed by.
    found = (set(component.inputs or ()), set(component.outputs or ()) - {"Output"})
    assert found == wanted, (
        f"Expected the inputs and outputs {wanted} of STEPS in components/{name}/component.py, found {found}."
    )


@pytest.mark.parametrize("name", STEPS)
def test_a_components_body_is_one_call_of_its_step(name: str) -> None:
    file = f"components/{name}/component.py"
    assert (ROOT / file).is_file(), (
        f"Expected the component of the step {name} in {file}, found no such file: declare it."
    )
    source = (ROOT / file).read_text(encoding="utf-8")
    function = next(node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef))
    calls = [n for n in ast.walk(function) if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "run_step"]
    assert len(calls) == 1, f"Expected one call of run_step in {file}, found {len(calls)}."
    assert ast.literal_eval(calls[0].args[0]) == name, f"Expected run_step({name!r}, ...) in {file}."
    keys = [[ast.literal_eval(key) for key in argument.keys] for argument in calls[0].args[2:]]
    wanted = [list(STEPS[name].inputs), list(STEPS[name].outputs)]
    assert keys == wanted, f"Expected run_step to be given {wanted} in {file}, found {keys}."


def test_the_pipeline_runs_every_step_with_its_own_section(retrain) -> None:
    tasks = {task.removesuffix("-step"): content for task, content in retrain.pipeline_spec.root.dag.tasks.items()}
    missing, unknown = sorted(set(STEPS) - set(tasks)), sorted(set(tasks) - set(STEPS) - PINS)
    assert not missing, (
        f"Expected a task for each step in pipelines/retrain.py, found none for {missing}: call its component there."
    )
    assert not unknown, f"Expected a step of STEPS for each task of pipelines/retrain.py, found none for {unknown}."
    for name, content in ((name, content) for name, content in tasks.items() if name not in PINS):
        section = content.inputs.parameters["params"].component_input_parameter
        assert section == name, (
            f"Expected params={name} at {name}_step in pipelines/retrain.py, found params={section}."
        )


def test_the_compiled_pipeline_is_current(retrain, tmp_path: Path) -> None:
    import_module("kfp.compiler").Compiler().compile(retrain, str(tmp_path / "retrain.yaml"))
    same = (tmp_path / "retrain.yaml").read_text() == (ROOT / "pipelines" / "retrain.yaml").read_text()
    assert same, "Run `make made`: pipelines/retrain.yaml is not what pipelines/retrain.py says."


@pytest.mark.parametrize("name", STEPS)
def test_the_command_line_has_every_step_with_its_paths(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([name, "--help"])
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    for key in (*STEPS[name].inputs, *STEPS[name].outputs):
        assert f"--{key} " in shown


def test_no_file_delays_its_annotations() -> None:
    files = [path for folder in ("src", "components", "pipelines") for path in (ROOT / folder).rglob("*.py")]
    assert files
    assert [path for path in files if "from __future__ import annotations" in path.read_text(encoding="utf-8")] == []
