"""A pipeline as a cluster runs it: every task gets its image, secrets, volumes, limits, retries and time, by kfp-kubernetes.

The pipeline itself says what runs after what; nothing of a cluster stands in it. So the same function runs on one machine.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from kfp import dsl, kubernetes
from kfp.dsl.pipeline_context import Pipeline

from components.close_runs.component import close_runs_step
from lesionflow.config.required_settings import statement_of
from pipelines.cluster_settings import ALL, Cluster
from pipelines.pod_settings import Accelerator, Needs, SecretEnv

#: Where a task's own folders lie, and the variables that send programs there.
PLACES = {"TMPDIR": "", "LESIONFLOW_PRIVATE_DIR": "private", "LESIONFLOW_CACHE_DIR": "cache"}
#: MLflow's client asks again so often, after 4, 8, 16, 32 and 64 s: a server that is away for a minute costs no pod.
PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "6"}
#: The label by which KFP marks every pod of a run, and the variable that carries it into the MLflow run.
RUN_LABEL, RUN_VARIABLE = "metadata.labels['pipeline/runid']", "LESIONFLOW_PIPELINE_RUN"
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - the place that the system gives it
#: Suffixes that fan-out adds to the name of the step whose work a component does a part of.
PARTS = ("-shard", "-join", "-fold", "-candidate")


class Images(NamedTuple):
    """The images of a pipeline, each with registry and digest."""

    cpu: str
    gpu: str

    def of(self, needs: Needs) -> str:
        """Return the image that a step asks for."""
        return self.gpu if needs.image == "gpu" else self.cpu


def on_cluster(pipeline: Any, cluster: Cluster, images: Images) -> Any:
    """Return a pipeline with all that a cluster needs, and a last task that closes what a failed run left open.

    Args:
        pipeline: Decorated with `dsl.pipeline`.
        cluster: What pods are given.
        images: What they run.

    Returns:
        Another pipeline of the same name and arguments; the one given stays as it is.
    """
    name = pipeline.component_spec.name
    decorate = dsl.pipeline(name=name, description=pipeline.component_spec.description or "")
    return decorate(_with_settings(pipeline.pipeline_func, cluster, images))


def _with_settings(function: Callable[..., Any], cluster: Cluster, images: Images) -> Callable[..., None]:
    @functools.wraps(function)
    def build(*args: Any, **kwargs: Any) -> None:
        closing = close_runs_step(pipeline_run=dsl.PIPELINE_JOB_ID_PLACEHOLDER)
        # One that is taken from the cache closes nothing.
        closing.set_caching_options(enable_caching=False)
        with dsl.ExitHandler(closing, name="retraining"):
            function(*args, **kwargs)
        for task_name, task in Pipeline.get_default_pipeline().tasks.items():
            equip(task, step_of(task_name), cluster, images)

    return build


def step_of(task_name: str) -> str:
    """Return the step that a task runs, or does a part of: `ingest-shard-step-2` is `ingest`."""
    step = task_name.split("-step", maxsplit=1)[0]
    for part in PARTS:
        step = step.removesuffix(part)
    return step


def equip(task: dsl.PipelineTask, step: str, cluster: Cluster, images: Images) -> None:
    """Give a task all that its step's pod needs."""
    needs = cluster.needs(step)
    task.set_container_image(images.of(needs))
    task.set_cpu_request(needs.cpu_request).set_cpu_limit(needs.cpu_limit)
    task.set_memory_request(needs.memory_request).set_memory_limit(needs.memory_limit)
    task.container_spec.resources.accelerator_type = None
    task.container_spec.resources.accelerator_count = None
    retries = needs.retries
    task.set_retry(
        retries.times,
        backoff_duration=f"{retries.first_wait_s}s",
        backoff_factor=2.0,
        backoff_max_duration=f"{retries.longest_wait_s}s",
    )
    for variable, folder in PLACES.items():
        task.set_env_variable(variable, f"{cluster.scratch.mount}/{folder}".rstrip("/"))
    for variable, value in PATIENCE.items():
        task.set_env_variable(variable, value)
    for files in _secrets_of(step, cluster.secret_files):
        for variable, key in files.env.items():
            task.set_env_variable(variable, f"{files.mount}/{key}")
    for variable, stated in statement_of(required_of(step, cluster)).items():
        task.set_env_variable(variable, stated)
    # What its run in MLflow says of where it was made.
    task.set_env_variable("LESIONFLOW_IMAGE", images.of(needs))
    kubernetes.use_field_path_as_env(task, RUN_VARIABLE, RUN_LABEL)
    if needs.accelerator is not None:
        _give_accelerator(task, needs.accelerator)
    if needs.shm is not None:
        kubernetes.empty_dir_mount(task, "shm", SHARED_MEMORY, medium="Memory", size_limit=needs.shm)
    for key, value in needs.node_selector.items():
        kubernetes.add_node_selector(task, key, value)
    for toleration in needs.tolerations:
        kubernetes.add_toleration_json(task, toleration.model_dump())
    _give_pod(task, step, needs.timeout_s, cluster)


def required_of(step: str, cluster: Cluster) -> dict[str, str]:
    """Return which settings a step refuses to begin without: where each comes from, by variable or by file.

    Args:
        step: Its name.
        cluster: What it is given.

    Returns:
        Words without any value.
    """
    plain = cluster.plain
    found = {name: f"key `{name}` of ConfigMap {plain.name}" for name in plain.required}
    for secret in _secrets_of(step, cluster.secret_env):
        if secret.required:
            found |= {variable: f"key `{key}` of Secret {secret.name}" for variable, key in secret.env.items()}
    for files in _secrets_of(step, cluster.secret_files):
        found |= {f"{files.mount}/{key}": f"key `{key}` of Secret {files.name}" for key in files.env.values()}
    return found


def _secrets_of(step: str, secrets: tuple[Any, ...]) -> list[Any]:
    return [secret for secret in secrets if step in secret.steps or ALL in secret.steps]


def _give_pod(task: dsl.PipelineTask, step: str, timeout_s: int, cluster: Cluster) -> None:
    """Give a task what pods of all steps have alike: settings, folders, identity, an end."""
    plain = cluster.plain
    if names := (*plain.required, *plain.optional):
        # Optional to Kubernetes: the step itself says what is missing, where the pod would hang without a word.
        kubernetes.use_config_map_as_env(task, plain.name, {name: name for name in names}, optional=True)
    for secret in _secrets_of(step, cluster.secret_env):
        kubernetes.use_secret_as_env(task, secret.name, _by_key(secret), optional=True)
    for secret in _secrets_of(step, cluster.secret_files):
        kubernetes.use_secret_as_volume(task, secret.name, secret.mount, optional=True)
    for claim in cluster.claims:
        if step in claim.steps or ALL in claim.steps:
            kubernetes.mount_pvc(task, claim.name, claim.mount, claim.sub_path)
    kubernetes.empty_dir_mount(task, "scratch", cluster.scratch.mount, size_limit=cluster.scratch.size)
    kubernetes.set_image_pull_policy(task, cluster.image_pull_policy)
    if cluster.image_pull_secrets:
        kubernetes.set_image_pull_secrets(task, list(cluster.image_pull_secrets))
    kubernetes.set_security_context(task, run_as_user=cluster.run_as, run_as_group=cluster.run_as, run_as_non_root=True)
    kubernetes.set_timeout(task, timeout_s)
    kubernetes.add_pod_label(task, "app.kubernetes.io/part-of", "lesionflow")
    kubernetes.add_pod_label(task, "app.kubernetes.io/component", step)


def _by_key(secret: SecretEnv) -> Mapping[str, str]:
    """Turn a secret's variables round: kfp-kubernetes asks for them by key."""
    return {key: variable for variable, key in secret.env.items()}


def _give_accelerator(task: dsl.PipelineTask, accelerator: Accelerator) -> None:
    task.set_accelerator_type(accelerator.resource).set_accelerator_limit(accelerator.count)
    if accelerator.product:
        kubernetes.add_node_selector(task, accelerator.product_label, accelerator.product)
