"""Training on several machines: the manifest of a Kubeflow Trainer `TrainJob`, whose processes are those of `train.devices` x `train.nodes`.

python -m pipelines.trainjob --registry R --gpu-digest D --claim lesionflow-project --params params.yaml -o trainjob.yaml

The claim holds a workspace (`data/cases`, `data/preprocessed`, ...), which all machines see; the leader alone writes the bundle into it.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from lesionflow.config import load_params
from lesionflow.config.presets import find_params
from lesionflow.config.required_settings import statement_of
from lesionflow.errors import ConfigError
from lesionflow.steps import STEPS
from lesionflow.workspace.layout import PATHS
from pipelines.cluster import PATIENCE, PLACES, SHARED_MEMORY, Images, required_of
from pipelines.cluster_settings import ALL, Cluster, load_cluster
from pipelines.compile import REPOSITORY, images_of
from pipelines.pod_settings import Needs

#: As Kubeflow Trainer 2.2 and later serve it: patches of the runtime by who makes them.
API_VERSION, KIND = "trainer.kubeflow.org/v1alpha1", "TrainJob"
#: The runtime that Kubeflow Trainer ships for torchrun, its job and its container.
RUNTIME, NODE = "torch-distributed", "node"
MANAGER = "lesionflow.example/trainjob"
STEP, WORKSPACE = "train", "/workspace"
PARAMS = f"{WORKSPACE}/params.yaml"


def train_job(name: str, claim: str, nodes: int, devices: int, cluster: Cluster, images: Images) -> dict[str, Any]:
    """Return the manifest.

    Kubeflow's runtime tells torchrun by `PET_*` how many there are and where they meet; torchrun tells each process by `RANK` and the like, which the step
    `train` joins by.

    Args:
        name: Of the job.
        claim: Of the workspace; it must be mountable on several nodes at once (ReadWriteMany).
        nodes: Machines.
        devices: GPUs, and processes, on each.
        cluster: What the step's pods are given.
        images: What they run.

    Returns:
        Plain values, as Kubernetes reads them.
    """
    needs = cluster.needs(STEP)
    paths = {key: f"{WORKSPACE}/{PATHS[key]}" for key in (*STEPS[STEP].inputs, *STEPS[STEP].outputs)}
    options = [word for key, path in paths.items() for word in (f"--{key}", path)]
    trainer = {
        "image": images.of(needs),
        "command": ["torchrun"],
        "args": ["-m", "lesionflow", STEP, "--params", PARAMS, *options],
        "numNodes": nodes,
        "numProcPerNode": devices,
        "resourcesPerNode": _resources(needs, devices),
        "env": _environment(cluster, images.of(needs)),
    }
    patch = {"manager": MANAGER, "trainingRuntimeSpec": _patch(claim, needs, cluster)}
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name, "labels": {"app.kubernetes.io/part-of": "lesionflow"}},
        "spec": {
            "runtimeRef": {"name": RUNTIME},
            "activeDeadlineSeconds": needs.timeout_s,
            "trainer": trainer,
            "runtimePatches": [patch],
        },
    }


def _resources(needs: Needs, devices: int) -> dict[str, dict[str, str]]:
    limits = {"cpu": needs.cpu_limit, "memory": needs.memory_limit}
    if needs.accelerator is not None:
        limits[needs.accelerator.resource] = str(devices)
    return {"requests": {"cpu": needs.cpu_request, "memory": needs.memory_request}, "limits": limits}


def _environment(cluster: Cluster, image: str) -> list[dict[str, Any]]:
    """Return the variables of a trainer: plain ones, and names of secrets' keys, never a value."""
    plain = {place: f"{cluster.scratch.mount}/{folder}".rstrip("/") for place, folder in PLACES.items()}
    plain |= {"LESIONFLOW_IMAGE": image, **PATIENCE, **statement_of(required_of(STEP, cluster))}
    plain |= {v: f"{files.mount}/{key}" for files in _given(cluster.secret_files) for v, key in files.env.items()}
    said: list[dict[str, Any]] = [{"name": key, "value": value} for key, value in plain.items()]
    for key in (*cluster.plain.required, *cluster.plain.optional):
        source = {"configMapKeyRef": {"name": cluster.plain.name, "key": key, "optional": True}}
        said.append({"name": key, "valueFrom": source})
    for secret in _given(cluster.secret_env):
        for variable, key in secret.env.items():
            source = {"secretKeyRef": {"name": secret.name, "key": key, "optional": True}}
            said.append({"name": variable, "valueFrom": source})
    return said


def _patch(claim: str, needs: Needs, cluster: Cluster) -> dict[str, Any]:
    volumes: list[dict[str, Any]] = [
        {"name": "workspace", "persistentVolumeClaim": {"claimName": claim}},
        {"name": "scratch", "emptyDir": {"sizeLimit": cluster.scratch.size}},
    ]
    mounts = [{"name": "workspace", "mountPath": WORKSPACE}, {"name": "scratch", "mountPath": cluster.scratch.mount}]
    if needs.shm is not None:
        volumes.append({"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": needs.shm}})
        mounts.append({"name": "shm", "mountPath": SHARED_MEMORY})
    for number, files in enumerate(_given(cluster.secret_files)):
        volumes.append({"name": f"secret-{number}", "secret": {"secretName": files.name, "optional": True}})
        mounts.append({"name": f"secret-{number}", "mountPath": files.mount})
    selector = dict(needs.node_selector)
    if needs.accelerator is not None and needs.accelerator.product:
        selector[needs.accelerator.product_label] = needs.accelerator.product
    user = {"runAsUser": cluster.run_as, "runAsGroup": cluster.run_as, "fsGroup": cluster.run_as, "runAsNonRoot": True}
    pod: dict[str, Any] = {
        "volumes": volumes,
        "containers": [{"name": NODE, "volumeMounts": mounts}],
        "securityContext": user,
        "tolerations": [_toleration(one.model_dump()) for one in needs.tolerations],
    }
    if selector:
        pod["nodeSelector"] = selector
    if cluster.image_pull_secrets:
        pod["imagePullSecrets"] = [{"name": name} for name in cluster.image_pull_secrets]
    job = {"name": NODE, "template": {"spec": {"template": {"spec": pod}}}}
    return {"template": {"spec": {"replicatedJobs": [job]}}}


def _toleration(values: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in values.items() if value}


def _given(settings: Sequence[Any]) -> list[Any]:
    return [one for one in settings if STEP in one.steps or ALL in one.steps]


def _require_several(n_processes: int) -> None:
    if n_processes == 1:
        raise ConfigError(
            "Expected train.nodes or train.devices above 1 for a TrainJob, found one process: the pipeline's own step trains it."
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the manifest from the command line."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.trainjob", description=__doc__)
    parser.add_argument("--registry", required=True, help="where the images are, such as registry.example/team")
    parser.add_argument("--repository", default=REPOSITORY, help="their name there")
    parser.add_argument("--digest", default="", help="of the image for CPUs, where training takes that")
    parser.add_argument("--gpu-digest", default="", help="of the image for GPUs, sha256:...")
    parser.add_argument("--cluster", type=Path, help="what pods are given; without, as pipelines/cluster.yaml")
    parser.add_argument("--claim", required=True, help="the volume of the workspace, ReadWriteMany")
    parser.add_argument(
        "--params", required=True, help="a preset's name, or a params file: train.devices and train.nodes"
    )
    parser.add_argument("--name", default="lesionflow-train")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parsed = parser.parse_args(arguments)
    try:
        cluster = load_cluster(parsed.cluster)
        section = load_params(find_params(parsed.params))[STEP]
        nodes, devices = int(section["nodes"]), int(section["devices"])
        _require_several(nodes * devices)
        images = images_of(
            parsed.registry, parsed.repository, parsed.digest or parsed.gpu_digest, parsed.gpu_digest, cluster
        )
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    manifest = train_job(parsed.name, parsed.claim, nodes, devices, cluster, images)
    parsed.output.write_text(yaml.safe_dump(manifest, sort_keys=False), encoding="utf-8")
    sys.stdout.write(f"{parsed.output}: {nodes} nodes of {devices} processes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
