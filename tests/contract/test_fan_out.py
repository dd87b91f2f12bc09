"""The pipeline with steps on several pods, read from the compiled form: loops over parts, joins that take all of them, each part a pod of its step."""

import json
from typing import Any

import pytest
import yaml

from support.compiled_pipelines import compile_pipeline

DIGEST = "sha256:" + "c" * 64
WIDE = "fan_out: {shards: 3, folds: 2, parallelism: 2}\n"
#: Loops by name: their task, how many, and who joins them by which output.
LOOPS = {
    "ingest-shards": ("ingest-shard", 3, "ingest-join"),
    "preprocess-shards": ("preprocess-shard", 3, "preprocess-join"),
    "folds": ("train-fold", 2, "train-join"),
}
#: The step that a part is a part of.
STEP_OF = {name: loop.split("-", maxsplit=1)[0] for loop, *_, join in LOOPS.values() for name in (loop, join)}


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any]]:
    folder = tmp_path_factory.mktemp("wide")
    (folder / "cluster.yaml").write_text(WIDE, encoding="utf-8")
    options = ["--registry", "registry.example", "--digest", DIGEST, "--gpu-digest", DIGEST]
    options += ["--cluster", str(folder / "cluster.yaml"), "-o", str(folder / "out.yaml")]
    assert compile_pipeline(*options) == 0
    spec, platform = yaml.safe_load_all((folder / "out.yaml").read_text(encoding="utf-8"))
    return spec, platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]


def dags(spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: component["dag"]["tasks"] for name, component in spec["components"].items() if "dag" in component}


def test_each_loop_has_its_parts_by_number_and_as_many_at_once_as_said(wide) -> None:
    outer = next(tasks for tasks in dags(wide[0]).values() if "validate-step" in tasks)
    loops = {task["taskInfo"]["name"]: task for task in outer.values() if "parameterIterator" in task}
    assert set(loops) == set(LOOPS)
    for name, (part, count, _) in LOOPS.items():
        assert json.loads(loops[name]["parameterIterator"]["items"]["raw"]) == list(range(count))
        assert loops[name]["iteratorPolicy"] == {"parallelismLimit": 2}
        inner = wide[0]["components"][loops[name]["componentRef"]["name"]]["dag"]["tasks"]
        (task,) = inner.values()
        assert task["taskInfo"]["name"] == f"{part}-step"
        given = task["inputs"]["parameters"]
        assert given["of"]["runtimeValue"]["constant"] == count
        assert "loop-item" in given["number"]["componentInputParameter"]


def test_each_join_takes_all_parts_of_its_loop_and_the_rest_takes_the_join(wide) -> None:
    outer = next(tasks for tasks in dags(wide[0]).values() if "validate-step" in tasks)
    loops = {task["taskInfo"]["name"]: name for name, task in outer.items() if "parameterIterator" in task}
    for name, (_, _, join) in LOOPS.items():
        taken = outer[f"{join}-step"]["inputs"]["artifacts"]["parts"]["taskOutputArtifact"]
        assert taken["producerTask"] == loops[name]
    for task, name, join in (
        ("validate", "cases", "ingest-join"), ("train-join", "preprocessed", "preprocess-join"), ("evaluate", "bundle", "train-join"),
    ):  # fmt: skip
        taken = outer[f"{task}-step"]["inputs"]["artifacts"][name]["taskOutputArtifact"]
        assert taken == {"outputArtifactKey": name, "producerTask": f"{join}-step"}
    assert not {"ingest-step", "preprocess-step", "train-step"} & set(outer)


def test_a_part_is_given_what_its_step_is_given(wide) -> None:
    images = wide[0]["deploymentSpec"]["executors"]
    for name, step in STEP_OF.items():
        pod, container = wide[1][f"exec-{name}-step"], images[f"exec-{name}-step"]["container"]
        label = {entry: value for entry, value in pod["podMetadata"]["labels"].items() if entry.endswith("component")}
        assert set(label.values()) == {step}
        assert ("accelerator" in container["resources"]) == (step == "train")
        secrets = {secret["secretName"] for secret in pod.get("secretAsEnv", [])}
        assert ("lesionflow-pseudonym" in secrets) == (step == "ingest")
        assert ("lesionflow-mlflow" in secrets) == (step == "train")
        assert [claim["mountPath"] for claim in pod.get("pvcMount", [])] == (["/data"] if step == "ingest" else [])


def test_one_part_is_no_loop(tmp_path) -> None:
    (tmp_path / "cluster.yaml").write_text("fan_out: {shards: 1, folds: 1}\n", encoding="utf-8")
    options = ["--registry", "registry.example", "--digest", DIGEST, "--gpu-digest", DIGEST]
    assert compile_pipeline(*options, "-o", str(tmp_path / "usual.yaml")) == 0
    assert (
        compile_pipeline(*options, "--cluster", str(tmp_path / "cluster.yaml"), "-o", str(tmp_path / "own.yaml")) == 0
    )
    assert (tmp_path / "own.yaml").read_text() == (tmp_path / "usual.yaml").read_text()


def test_a_sweep_trains_each_candidate_on_its_own_and_reads_the_test_set_once(tmp_path) -> None:
    options = ["--registry", "registry.example", "--digest", DIGEST, "--gpu-digest", DIGEST, "--sweep"]
    assert compile_pipeline(*options, "-o", str(tmp_path / "out.yaml")) == 0
    spec, platform = yaml.safe_load_all((tmp_path / "out.yaml").read_text(encoding="utf-8"))
    assert spec["pipelineInfo"]["name"] == "lesionflow-sweep"
    assert spec["root"]["inputDefinitions"]["parameters"]["candidates"]["parameterType"] == "LIST"
    outer = next(tasks for tasks in dags(spec).values() if "validate-step" in tasks)
    ((loop, task),) = ((name, task) for name, task in outer.items() if "parameterIterator" in task)
    assert task["parameterIterator"]["items"]["inputParameter"].endswith("candidates")
    ((name, candidate),) = spec["components"][task["componentRef"]["name"]]["dag"]["tasks"].items()
    assert name == "train-candidate-step"
    assert "loop-item" in candidate["inputs"]["parameters"]["changes"]["componentInputParameter"]
    assert outer["choose-step"]["inputs"]["artifacts"]["candidates"]["taskOutputArtifact"]["producerTask"] == loop
    taken = outer["evaluate-step"]["inputs"]["artifacts"]["bundle"]["taskOutputArtifact"]
    assert taken == {"outputArtifactKey": "bundle", "producerTask": "choose-step"}
    # Whoever trains reads no test case: scores of the test set choose nothing.
    assert [name for name in outer if name.startswith("evaluate")] == ["evaluate-step"]
    containers = spec["deploymentSpec"]["executors"]
    assert "accelerator" in containers["exec-train-candidate-step"]["container"]["resources"]
    assert "accelerator" not in containers["exec-choose-step"]["container"]["resources"]
    secrets = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]["exec-train-candidate-step"][
        "secretAsEnv"
    ]
    assert "lesionflow-mlflow" in {secret["secretName"] for secret in secrets}
