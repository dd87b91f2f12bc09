"""The steps stand in several places; each omission is one failing test."""

import ast
import inspect
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from kfp import compiler
from ruamel.yaml import YAML

from lesionflow.cli import main
from lesionflow.config import Params, load_params
from lesionflow.config.presets import PRESETS as PRESETS_FOLDER
from lesionflow.steps import STEPS
from lesionflow.workspace.layout import PATHS, dvc_yaml, step_command
from pipelines.retrain import retrain

ROOT = Path(__file__).resolve().parents[2]
PRESETS = sorted(PRESETS_FOLDER.glob("*.yaml"))
#: A step's input that is a path given from outside has this name in its component.
RAW = {"raw": "raw_path"}


@pytest.mark.parametrize("name", STEPS)
def test_every_step_has_a_module_with_a_run_of_four_values(name: str) -> None:
    run = import_module(STEPS[name].module).run
    assert list(inspect.signature(run).parameters) == ["config", "inputs", "outputs", "settings"]


def test_params_have_one_section_a_step() -> None:
    sections = [field.alias or key for key, field in Params.model_fields.items()]
    assert sections == list(STEPS)
    assert [field.annotation for field in Params.model_fields.values()] == [step.section for step in STEPS.values()]


def test_every_input_is_an_output_of_an_earlier_step() -> None:
    made = {"raw"}
    for name, step in STEPS.items():
        assert set(step.inputs) <= made, name
        made |= set(step.outputs)
    assert made == set(PATHS)


def test_dvc_yaml_is_current() -> None:
    assert (ROOT / "dvc.yaml").read_text(encoding="utf-8") == dvc_yaml()


@pytest.mark.parametrize("name", STEPS)
def test_a_dvc_stage_depends_on_its_inputs_and_section_alone(name: str) -> None:
    stage = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"][name]
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
    assert load_params(ROOT / "params.yaml") == load_params(PRESETS_FOLDER / "phantom_ct.yaml")


@pytest.mark.parametrize("name", STEPS)
def test_a_component_declares_the_steps_inputs_and_outputs(name: str) -> None:
    component = getattr(import_module(f"components.{name}.component"), f"{name}_step").component_spec
    step = STEPS[name]
    assert set(component.inputs) == {*(RAW.get(key, key) for key in step.inputs), "params"}
    assert set(component.outputs) == set(step.outputs)


@pytest.mark.parametrize("name", STEPS)
def test_a_components_body_is_one_call_of_its_step(name: str) -> None:
    source = (ROOT / "components" / name / "component.py").read_text(encoding="utf-8")
    function = next(node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef))
    calls = [n for n in ast.walk(function) if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "run_step"]
    assert len(calls) == 1
    assert ast.literal_eval(calls[0].args[0]) == name
    keys = [[ast.literal_eval(key) for key in argument.keys] for argument in calls[0].args[2:]]
    assert keys == [list(STEPS[name].inputs), list(STEPS[name].outputs)]


def test_the_pipeline_runs_every_step_with_its_own_section() -> None:
    spec = retrain.pipeline_spec
    tasks = spec.root.dag.tasks
    assert {task.removesuffix("-step") for task in tasks} == set(STEPS)
    for task, content in tasks.items():
        assert content.inputs.parameters["params"].component_input_parameter == task.removesuffix("-step")


def test_the_compiled_pipeline_is_current(tmp_path: Path) -> None:
    compiler.Compiler().compile(retrain, str(tmp_path / "retrain.yaml"))
    assert (tmp_path / "retrain.yaml").read_text() == (ROOT / "pipelines" / "retrain.yaml").read_text()


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
