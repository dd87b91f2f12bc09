"""What each pod of the pipeline is given on a cluster, read from the compiled form as Kubeflow reads it."""

import json
import socket
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from urllib3.util import retry

from lesionflow.errors import ConfigError
from lesionflow.steps import STEPS
from support.compiled_pipelines import compile_pipeline

ROOT = Path(__file__).resolve().parents[2]
CPU, GPU = "sha256:" + "c" * 64, "sha256:" + "9" * 64
REGISTRY = "registry.example/team"
CLOSING = "close-runs"
PINS = {"find-data", "pin-splits"}
SECRETS = (
    "MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "LESIONFLOW_PSEUDONYM_KEY",
    "LESIONFLOW_SIGNING_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
)  # fmt: skip
OWN = """
secret_files:
  - {name: signing, mount: /keys, env: {LESIONFLOW_SIGNING_KEY: signing.key}, steps: [train]}
image_pull_secrets: [pull]
claims:
  - {name: studies, mount: /data, sub_path: site-a, steps: [ingest]}
steps:
  train:
    accelerator: {count: 2, product: NVIDIA-H100-80GB-HBM3}
    node_selector: {pool: gpu}
  ingest: {cpu_limit: "16", timeout_s: 60, retries: {times: 5, first_wait_s: 7, longest_wait_s: 70}}
"""


def compiled(folder: Path, text: str = "", *options: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The pipeline's two documents: what runs, and what Kubernetes is told of each pod."""
    given = list(options)
    if text:
        (folder / "cluster.yaml").write_text(text, encoding="utf-8")
        given += ["--cluster", str(folder / "cluster.yaml")]
    out = folder / "out.yaml"
    images = ["--registry", REGISTRY, "--digest", CPU, "--gpu-digest", GPU]
    assert compile_pipeline(*images, "-o", str(out), *given) == 0
    spec, platform = yaml.safe_load_all(out.read_text(encoding="utf-8"))
    return spec, platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any]]:
    return compiled(tmp_path_factory.mktemp("usual"))


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any]]:
    """By a file of one's own, compiled where every secret stands in the environment."""
    with pytest.MonkeyPatch.context() as patched:
        for number, name in enumerate(SECRETS):
            patched.setenv(name, f"planted-{number}")
        return compiled(tmp_path_factory.mktemp("own"), OWN)


def containers(spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Each step's container."""
    executors = spec["deploymentSpec"]["executors"]
    return {name.removeprefix("exec-").removesuffix("-step"): value["container"] for name, value in executors.items()}


def pods(executors: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name.removeprefix("exec-").removesuffix("-step"): value for name, value in executors.items()}


def environment(container: dict[str, Any]) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in container.get("env", [])}


def test_every_step_and_the_closing_one_is_there(usual) -> None:
    assert set(containers(usual[0])) == set(pods(usual[1])) == {*STEPS, *PINS, CLOSING}


def test_every_image_is_named_by_registry_and_digest_and_the_gpus_runs_train_alone(usual) -> None:
    for name, container in containers(usual[0]).items():
        assert container["image"] == f"{REGISTRY}/lesionflow@{GPU if name == 'train' else CPU}"
        assert environment(container)["LESIONFLOW_IMAGE"] == container["image"]


def test_every_pod_has_limits_requests_an_end_and_is_not_root(usual) -> None:
    for name, container in containers(usual[0]).items():
        resources = container["resources"]
        wanted = {"resourceCpuLimit", "resourceCpuRequest", "resourceMemoryLimit", "resourceMemoryRequest"}
        assert wanted <= set(resources), name
        assert ("accelerator" in resources) == (name == "train")
    for pod in pods(usual[1]).values():
        assert int(pod["activeDeadlineSeconds"]) > 0
        assert pod["securityContext"] == {"runAsUser": "10001", "runAsGroup": "10001", "runAsNonRoot": True}
        assert pod["imagePullPolicy"] == "IfNotPresent"
        scratch = {"volumeName": "scratch", "mountPath": "/scratch", "sizeLimit": "50Gi"}
        assert scratch in pod["emptyDirMounts"]


def test_a_server_of_mlflow_that_is_away_for_a_minute_is_waited_for_by_every_pod(usual, monkeypatch) -> None:
    """The waits are urllib3's own, by what the pod is told; none of them is slept here."""
    told = {environment(container)["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] for container in containers(usual[0]).values()}
    assert len(told) == 1
    waits: list[float] = []
    monkeypatch.setattr(retry.time, "sleep", waits.append)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", told.pop())
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        # Bound and never listening: refused, as by a Service without a pod.
        with pytest.raises(MlflowException):
            MlflowClient(f"http://127.0.0.1:{taken.getsockname()[1]}").search_experiments()
    assert 60 < sum(waits) < 180


def test_train_alone_has_a_gpu_shared_memory_in_memory_and_may_stand_on_a_tainted_node(usual) -> None:
    pod = pods(usual[1])["train"]
    shared = {"volumeName": "shm", "mountPath": "/dev/shm", "medium": "Memory", "sizeLimit": "8Gi"}
    assert shared in pod["emptyDirMounts"]
    assert pod["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    gpu = containers(usual[0])["train"]["resources"]["accelerator"]
    assert (gpu["resourceType"], gpu["resourceCount"]) == ("nvidia.com/gpu", "1")
    others = [pod for name, pod in pods(usual[1]).items() if name != "train"]
    assert not any("tolerations" in pod or len(pod["emptyDirMounts"]) > 1 for pod in others)


def secrets(pod: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Variable: Secret and key; each must be optional to Kubernetes."""
    found = {}
    for secret in pod.get("secretAsEnv", []):
        assert secret["optional"] is True
        found |= {entry["envVar"]: (secret["secretName"], entry["secretKey"]) for entry in secret["keyToEnv"]}
    return found


def test_only_who_needs_a_secret_is_given_it(usual) -> None:
    given = {name: set(secrets(pod)) for name, pod in pods(usual[1]).items()}
    having = {name for name, names in given.items() if "LESIONFLOW_PSEUDONYM_KEY" in names}
    assert having == {"ingest"}
    having = {name for name, names in given.items() if "MLFLOW_TRACKING_PASSWORD" in names}
    assert having == {"validate", "split", "train", "evaluate", "register", "promote", CLOSING}
    assert secrets(pods(usual[1])["ingest"])["LESIONFLOW_PSEUDONYM_KEY"] == ("lesionflow-pseudonym", "key")


def test_every_step_that_asks_mlflow_is_given_its_account(usual) -> None:
    """By the steps' own code: who reads the address of the store may be asked there who he is."""
    asking = {
        name
        for name, step in STEPS.items()
        if "settings.tracking_uri" in Path(import_module(step.module).__file__ or "").read_text(encoding="utf-8")
    }
    given = {name for name, pod in pods(usual[1]).items() if "MLFLOW_TRACKING_PASSWORD" in secrets(pod)}
    assert len(asking) > 4
    assert given - {CLOSING} == asking


def test_what_a_step_refuses_to_begin_without_is_what_it_is_given(usual) -> None:
    for name, container in containers(usual[0]).items():
        required = json.loads(environment(container)["LESIONFLOW_REQUIRED"])
        pod = pods(usual[1])[name]
        plain = {entry["envVar"] for entry in pod["configMapAsEnv"][0]["keyToEnv"]}
        assert pod["configMapAsEnv"][0]["optional"] is True
        assert set(required) <= set(secrets(pod)) | plain
        assert "MLFLOW_TRACKING_URI" in required
        assert ("LESIONFLOW_PSEUDONYM_KEY" in required) == (name == "ingest")
        assert "AWS_SECRET_ACCESS_KEY" not in required


def tasks(spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
    (group,) = (component for component in spec["components"].values() if "dag" in component)
    return {name.removesuffix("-step"): task for name, task in group["dag"]["tasks"].items()}


def test_what_fails_is_tried_again_after_a_wait_that_doubles(usual, own) -> None:
    for task in tasks(usual[0]).values():
        policy = {"maxRetryCount": 2, "backoffDuration": "30s", "backoffFactor": 2.0, "backoffMaxDuration": "600s"}
        assert task["retryPolicy"] == policy
    assert tasks(own[0])["ingest"]["retryPolicy"]["maxRetryCount"] == 5
    assert tasks(own[0])["ingest"]["retryPolicy"]["backoffDuration"] == "7s"


def test_the_run_is_closed_whatever_became_of_it_and_never_from_the_cache(usual) -> None:
    closing = usual[0]["root"]["dag"]["tasks"]["close-runs-step"]
    assert closing["triggerPolicy"]["strategy"] == "ALL_UPSTREAM_TASKS_COMPLETED"
    assert not closing["cachingOptions"].get("enableCache", False)
    run_id = closing["inputs"]["parameters"]["pipeline_run"]["runtimeValue"]["constant"]
    assert run_id == "{{$.pipeline_job_uuid}}"
    assert "taskFinalStatus" in closing["inputs"]["parameters"]["status"]
    told = {"name": "LESIONFLOW_PIPELINE_RUN", "fieldPath": "metadata.labels['pipeline/runid']"}
    assert all(pod["fieldPathAsEnv"] == [told] for pod in pods(usual[1]).values())


def test_the_pipeline_is_the_same_but_for_what_the_cluster_gives(usual) -> None:
    plain = yaml.safe_load((ROOT / "pipelines" / "retrain.yaml").read_text(encoding="utf-8"))
    assert usual[0]["root"]["inputDefinitions"] == plain["root"]["inputDefinitions"]
    ours = {name: task.get("dependentTasks", []) for name, task in tasks(usual[0]).items()}
    theirs = {
        name.removesuffix("-step"): task.get("dependentTasks", [])
        for name, task in plain["root"]["dag"]["tasks"].items()
    }
    assert ours == theirs
    assert usual[0]["pipelineInfo"] == plain["pipelineInfo"]


def test_a_cluster_file_changes_what_it_names_and_nothing_else(usual, own) -> None:
    before, after = pods(usual[1]), pods(own[1])
    train = after["train"]
    assert train["nodeSelector"]["labels"] == {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3", "pool": "gpu"}
    assert train["secretAsVolume"][0]["secretName"] == "signing"
    assert (train["secretAsVolume"][0]["mountPath"], train["secretAsVolume"][0]["optional"]) == ("/keys", True)
    container = containers(own[0])["train"]
    assert environment(container)["LESIONFLOW_SIGNING_KEY"] == "/keys/signing.key"
    required = json.loads(environment(container)["LESIONFLOW_REQUIRED"])
    assert required["/keys/signing.key"] == "key `signing.key` of Secret signing"
    assert container["resources"]["accelerator"]["resourceCount"] == "2"
    # What the file does not say of train stays.
    assert train["emptyDirMounts"] == before["train"]["emptyDirMounts"]
    assert after["ingest"]["activeDeadlineSeconds"] == "60"
    (claim,) = after["ingest"]["pvcMount"]
    assert (claim["constant"], claim["subPath"]) == ("studies", "site-a")
    assert "pvcMount" not in after["promote"]
    assert all(pod["imagePullSecret"][0]["secretName"] == "pull" for pod in after.values())
    for name in set(after) - {"train", "ingest", "find-data"}:
        assert {k: v for k, v in after[name].items() if k != "imagePullSecret"} == before[name]


def test_no_value_of_a_secret_is_in_the_compiled_form(own) -> None:
    text = json.dumps(own)
    assert all(name in text for name in SECRETS)
    assert "planted" not in text


def test_the_file_that_is_shown_is_the_defaults() -> None:
    settings = import_module("pipelines.cluster_settings")
    assert settings.load_cluster(ROOT / "pipelines" / "cluster.yaml") == settings.Cluster()
    shown = yaml.safe_load((ROOT / "pipelines" / "cluster.yaml").read_text(encoding="utf-8"))
    assert set(shown) == set(settings.Cluster.model_fields)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("usual: {memory_limit: 2Gi}", "memory_request is above memory_limit"),
        ("usual: {cpu_request: 500m, cpu_limit: 200m}", "cpu_request is above cpu_limit"),
        ("usual: {shm: 8Gi}", "shm counts as memory"),
        ("steps: {train: {image: cpu}}", "go together"),
        ("steps: {trian: {timeout_s: 5}}", "trian"),
        ("usual: {memory_limit: lots}", "usual.memory_limit"),
        ("run_as: 0", "run_as"),
        ("secret: []", "secret"),
        ("secret_env: [{name: a, env: {X: k, Y: k}, steps: [train]}]", "one variable"),
        ("secret_env: [{name: a, env: {X: k}, steps: [trian]}]", "trian"),
        ("a: [", "cluster file"),
    ],
)
def test_a_cluster_file_that_does_not_fit_is_refused_by_name(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "cluster.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        import_module("pipelines.cluster_settings").load_cluster(tmp_path / "cluster.yaml")
    assert said in str(refused.value)


def test_a_secret_pasted_into_the_cluster_file_is_not_told(tmp_path: Path) -> None:
    text = "secret_env: [{name: a, env: {X: k}, steps: [train], value: hunter2}]\nrun_as: hunter2"
    (tmp_path / "cluster.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        import_module("pipelines.cluster_settings").load_cluster(tmp_path / "cluster.yaml")
    assert "secret_env.0.value" in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--digest", CPU], "--gpu-digest"),
        (["--digest", "latest", "--gpu-digest", GPU], "--digest"),
        (["--digest", f"{CPU}\n", "--gpu-digest", GPU], "--digest"),
        (["--digest", CPU, "--gpu-digest", GPU[:-1]], "--gpu-digest"),
    ],
)
def test_an_image_that_may_change_is_refused(options, said, tmp_path: Path, capsys) -> None:
    main = import_module("pipelines.compile").main
    assert main(["--registry", REGISTRY, *options, "-o", str(tmp_path / "out.yaml")]) == ConfigError.exit_code
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out.yaml").exists()


@pytest.mark.parametrize(
    ("registry", "repository"),
    [
        ("https://r.example/team", "lesionflow"), ("r ex ample/t", "lesionflow"), ("r@sha256:x", "lesionflow"), ("R.example/TEAM", "lesionflow"),
        ("/", "lesionflow"), (REGISTRY, ""), (REGISTRY, "Lesionflow"), (REGISTRY, "a b"),
    ],
)  # fmt: skip
def test_a_place_that_no_node_can_pull_from_is_refused(registry, repository, tmp_path: Path, capsys) -> None:
    main = import_module("pipelines.compile").main
    options = ["--registry", registry, "--repository", repository, "--digest", CPU, "--gpu-digest", GPU]
    assert main([*options, "-o", str(tmp_path / "out.yaml")]) == ConfigError.exit_code
    assert "--registry as a host and path" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["fan_out: {shards: 1000000000}", "usual: {timeout_s: 1000000000000000000000000}"])
def test_what_no_cluster_could_hold_is_refused(text, tmp_path: Path) -> None:
    (tmp_path / "cluster.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="less than or equal to"):
        import_module("pipelines.cluster_settings").load_cluster(tmp_path / "cluster.yaml")


def test_without_a_gpu_no_image_for_gpus_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "cluster.yaml").write_text("steps: {train: {image: cpu, accelerator: null}}", encoding="utf-8")
    cluster = import_module("pipelines.cluster_settings").load_cluster(tmp_path / "cluster.yaml")
    images = import_module("pipelines.compile").images_of(REGISTRY, "lesionflow", CPU, "", cluster)
    assert images.of(cluster.needs("train")) == images.cpu == f"{REGISTRY}/lesionflow@{CPU}"
