"""The script for the first real cluster, against Kubeflow's API as the OpenAPI has it and a `kubectl` that answers as a cluster would, or would not."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from lesionflow.steps import STEPS
from support.fake_kubeflow import TOKEN, kubeflow

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "pipelines" / "check_cluster.sh"
IMAGE = "registry.example/team/lesionflow@sha256:" + "c" * 64
#: What is asked of `kubectl`, by a part of its command line, and what a cluster answers that is as it should be.
WELL = {
    "get configmap": "http://mlflow.lesionflow:5000",
    "get nodes": '{"cpu":"8","nvidia.com/gpu":"1"}',
    "-- id -u": "10001",
    "items[*].status.phase": "Running",
    "items[0].metadata.name": "train-pod-1",
    "get workflows -l pipeline/runid=": "Succeeded",
    "spec.type": "ClusterIP ClusterIP",
    "containers[*].image": f"{IMAGE} {IMAGE}",
}
#: What is not as it should be: an answer, and what the script then says does not hold.
FAULTS = {
    "-- id -u": ("0", "train is not root"),
    "get nodes": ('{"cpu":"8","nvidia.com/gpu":"0"}', "nodes offer nvidia.com/gpu"),
    "get configmap": ("", "ConfigMap lesionflow has MLFLOW_TRACKING_URI"),
    "get workflows -l pipeline/runid=": ("Failed", "the run ends well"),
    "spec.type": ("ClusterIP LoadBalancer", "MLflow and the service are not exposed beyond the cluster"),
    "containers[*].image": (f"{IMAGE} mlflow:latest", "no image has a tag"),
}


@pytest.fixture
def checked(tmp_path):
    """Return a function that runs the script; it gives its exit code, its verdicts by name, and what `kubectl` was asked."""
    arguments = {name: {"parameterType": "STRING"} for name in (*STEPS, "project_store", "raw_path")}
    spec = {
        "pipelineInfo": {"name": "lesionflow-retrain"},
        "root": {"inputDefinitions": {"parameters": arguments}},
        "deploymentSpec": {"executors": {"exec-one": {"container": {"image": IMAGE}}}},
    }
    (tmp_path / "package.yaml").write_text(yaml.safe_dump(spec), encoding="utf-8")
    tools = tmp_path / "bin"
    tools.mkdir()

    def tool(name, text):
        (tools / name).write_text(f"#!/bin/bash\n{text}\n", encoding="utf-8")
        (tools / name).chmod(0o755)

    def run(answers, refused=()):
        cases = "\n".join(f"*'{asked}'*) echo '{answer}' ;;" for asked, answer in answers.items())
        refusal = "\n".join(f"*'{asked}'*) exit 1 ;;" for asked in refused)
        tool("kubectl", f'echo "$*" >> {tmp_path}/asked\ncase "$*" in\n{refusal}\n{cases}\nesac\n')
        tool("sleep", ":")
        # What it asks MLflow itself, no cluster is needed for.
        tool("python", f'case "$*" in *"import mlflow"*) exit 0 ;; esac\nexec {sys.executable} "$@"')
        with kubeflow() as state:
            environment = {
                **os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}",
                "KF_PIPELINES_ENDPOINT": state.address, "KFP_TOKEN": TOKEN,
            }  # fmt: skip
            command = [str(SCRIPT), "users", str(tmp_path / "package.yaml"), "--params", "phantom_ct"]
            command += ["--set", "project_store=/state", "--set", "raw_path=/data"]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)
            assert state.faults == []
        verdicts = dict(reversed(line) for line in re.findall(r"^(ok|NOT) +(.+)$", done.stdout, re.MULTILINE))
        return done, verdicts, (tmp_path / "asked").read_text().splitlines()

    return run


def test_a_cluster_that_is_as_it_should_be_is_told_so(checked):
    done, verdicts, asked = checked(WELL)
    assert {name for name, verdict in verdicts.items() if verdict == "NOT"} == set(), done.stdout
    assert len(verdicts) > 18
    assert (done.returncode, "0 not as they should be" in done.stdout) == (0, True)
    # Nothing is deleted but a pod of its own run, nothing patched but a run of its own, and no more than probes are started.
    changes = [
        line
        for line in asked
        if re.search(r"\b(delete|patch|run|apply|create|label|scale)\b", line.partition(" -- ")[0])
    ]
    assert {re.search(r"\b(delete pod|patch workflow|run lesionflow-probe)", line)[1] for line in changes} == {
        "delete pod", "patch workflow", "run lesionflow-probe",
    }  # fmt: skip
    probes = [line for line in asked if "run lesionflow-probe" in line]
    assert [(f"--image={IMAGE}" in line, line.split()[1]) for line in probes] == [(True, "users"), (True, "default")]


def test_what_is_not_as_it_should_be_is_named_and_the_rest_goes_on(checked):
    done, verdicts, _ = checked(WELL | {asked: answer for asked, (answer, _) in FAULTS.items()})
    assert {name for name, verdict in verdicts.items() if verdict == "NOT"} == {told for _, told in FAULTS.values()}
    assert "statefulset/postgres is ready" in verdicts
    assert (done.returncode, f"{len(FAULTS)} not as they should be" in done.stdout) == (1, True)


def test_what_the_cluster_refuses_is_named_and_without_the_product_its_part_is_left_out(checked):
    done, verdicts, _ = checked(WELL, refused=("get secret lesionflow-pseudonym", "get namespace lesionflow"))
    assert [name for name, verdict in verdicts.items() if verdict == "NOT"] == ["Secret lesionflow-pseudonym"]
    assert "5. No namespace lesionflow" in done.stdout
    assert not any("statefulset" in name for name in verdicts)
    assert done.returncode == 1


def test_what_can_not_be_looked_at_is_not_taken_for_well(checked):
    """No pods, or nobody who may list them."""
    _, verdicts, _ = checked(WELL | {"spec.type": ""}, refused=("containers[*].image", "-- id -u"))
    assert {name for name, verdict in verdicts.items() if verdict == "NOT"} == {
        "MLflow and the service are not exposed beyond the cluster", "no image has a tag", "train is not root",
    }  # fmt: skip


def test_what_it_waits_for_is_what_the_manifests_have():
    text = SCRIPT.read_text(encoding="utf-8")
    objects = [
        document
        for path in (ROOT / "manifests" / "base").glob("*.yaml")
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))
    ]
    there = {
        f"{each['kind'].lower()}/{each['metadata']['name']}" for each in objects if each.get("metadata", {}).get("name")
    }
    parts = re.search(r"for part in ([^;]+);", text)[1].split()
    assert len(parts) == 3
    assert set(parts) <= there
    (service,) = (each for each in objects if each["kind"] == "Deployment" and each["metadata"]["name"] == "lesionflow")
    assert "wait pod -l app.kubernetes.io/name=lesionflow " in text
    assert service["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/name"] == "lesionflow"
    (mlflow,) = (each for each in objects if each["kind"] == "Service" and each["metadata"]["name"] == "mlflow")
    assert [port["port"] for port in mlflow["spec"]["ports"]] == [5000]
