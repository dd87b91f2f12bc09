"""The manifest of a training on several machines, held by Kubeflow Trainer's own models where they are installed."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from lesionflow.cli import main as command_line
from lesionflow.config.presets import PRESETS
from lesionflow.errors import ConfigError

GPU = "sha256:" + "9" * 64
CLUSTER = """
secret_files: [{name: signing, mount: /keys, env: {LESIONFLOW_SIGNING_KEY: signing.key}, steps: [train]}]
image_pull_secrets: [pull]
steps: {train: {accelerator: {product: NVIDIA-H100-80GB-HBM3}}}
"""


def write_manifest(folder: Path, nodes: int = 2, devices: int = 4) -> tuple[int, Path]:
    params = yaml.safe_load((PRESETS / "phantom_ct.yaml").read_text(encoding="utf-8"))
    params["train"] |= {"nodes": nodes, "devices": devices}
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    (folder / "cluster.yaml").write_text(CLUSTER, encoding="utf-8")
    out = folder / "trainjob.yaml"
    given = ["--registry", "registry.example/team", "--gpu-digest", GPU, "--claim", "project", "-o", str(out)]
    given += ["--params", str(folder / "params.yaml"), "--cluster", str(folder / "cluster.yaml")]
    return import_module("pipelines.trainjob").main(given), out


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    code, out = write_manifest(tmp_path_factory.mktemp("trainjob"))
    assert code == 0
    return dict(yaml.safe_load(out.read_text(encoding="utf-8")))


def test_its_processes_are_those_that_params_ask_for(manifest) -> None:
    trainer = manifest["spec"]["trainer"]
    assert (trainer["numNodes"], trainer["numProcPerNode"]) == (2, 4)
    assert trainer["resourcesPerNode"]["limits"]["nvidia.com/gpu"] == "4"
    assert trainer["image"] == f"registry.example/team/lesionflow@{GPU}"
    assert manifest["spec"]["runtimeRef"] == {"name": "torch-distributed"}


def test_what_it_runs_is_a_command_that_there_is(manifest, capsys) -> None:
    trainer = manifest["spec"]["trainer"]
    assert trainer["command"] == ["torchrun"]
    assert trainer["args"][:3] == ["-m", "lesionflow", "train"]
    with pytest.raises(SystemExit):
        command_line(["train", "--help"])
    shown = capsys.readouterr().out
    assert all(f"{word} " in shown for word in trainer["args"] if word.startswith("--"))


def test_secrets_are_named_and_what_is_missing_is_asked_for_by_the_step(manifest) -> None:
    environment = {one["name"]: one for one in manifest["spec"]["trainer"]["env"]}
    password = environment["MLFLOW_TRACKING_PASSWORD"]["valueFrom"]["secretKeyRef"]
    assert password == {"name": "lesionflow-mlflow", "key": "password", "optional": True}
    required = json.loads(environment["LESIONFLOW_REQUIRED"]["value"])
    assert {"MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_PASSWORD", "/keys/signing.key"} <= set(required)
    assert "LESIONFLOW_PSEUDONYM_KEY" not in environment


def pod_of(manifest: dict[str, Any]) -> dict[str, Any]:
    (patch,) = manifest["spec"]["runtimePatches"]
    (job,) = patch["trainingRuntimeSpec"]["template"]["spec"]["replicatedJobs"]
    assert job["name"] == "node"
    return dict(job["template"]["spec"]["template"]["spec"])


def test_every_node_sees_the_workspace_and_has_shared_memory(manifest) -> None:
    pod = pod_of(manifest)
    volumes = {one["name"]: one for one in pod["volumes"]}
    (container,) = pod["containers"]
    mounts = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}
    assert volumes["workspace"]["persistentVolumeClaim"] == {"claimName": "project"}
    assert volumes["shm"]["emptyDir"] == {"medium": "Memory", "sizeLimit": "8Gi"}
    assert (mounts["workspace"], mounts["shm"], mounts["secret-0"]) == ("/workspace", "/dev/shm", "/keys")
    assert set(mounts) == set(volumes)
    assert pod["nodeSelector"] == {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["imagePullSecrets"] == [{"name": "pull"}]


def test_kubeflow_trainers_own_models_read_all_of_it(manifest) -> None:
    models = pytest.importorskip("kubeflow_trainer_api.models", reason="kubeflow-trainer-api is not installed")
    read = models.TrainerV1alpha1TrainJob.from_dict(manifest)
    assert read.to_dict() == manifest


def test_one_process_needs_no_train_job(tmp_path: Path, capsys) -> None:
    code, out = write_manifest(tmp_path, nodes=1, devices=1)
    assert code == ConfigError.exit_code
    assert "found one process" in capsys.readouterr().err
    assert not out.exists()
