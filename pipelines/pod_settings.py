"""What a pod may be given, a class each: secrets, volumes, processors, memory, GPUs, retries. Who is given which says `cluster_settings`."""

import re
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

#: Kubernetes: a DNS-1123 subdomain, a resource quantity, an environment variable.
Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=253)]
Memory = Annotated[str, Field(pattern=r"^[1-9]\d*(Mi|Gi|Ti|M|G|T)$")]
Cpus = Annotated[str, Field(pattern=r"^([1-9]\d*m|[1-9]\d*(\.\d+)?|0\.\d*[1-9]\d*)$")]
Variable = Annotated[str, Field(pattern=r"^[A-Z_][A-Z0-9_]*$")]
Place = Annotated[str, Field(pattern=r"^/[^:]*$")]
#: A year at most: what is more is a slip, and Kubernetes' own numbers end.
Seconds = Annotated[int, Field(ge=1, le=366 * 24 * 3600)]
#: Steps that a setting is for, by name.
Steps = tuple[str, ...]
UNITS = {"M": 10**6, "G": 10**9, "T": 10**12, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


def bytes_of(quantity: str) -> int:
    """Return a quantity of memory in bytes: `8Gi` is 8589934592."""
    number, unit = re.fullmatch(r"(\d+)(\D+)", quantity).groups()
    return int(number) * UNITS[unit]


def cores_of(quantity: str) -> float:
    """Return a quantity of processors: `500m` is 0.5."""
    return float(quantity.removesuffix("m")) / (1000.0 if quantity.endswith("m") else 1.0)


class Setting(BaseModel):
    """Base of all: frozen, strict about names."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SecretEnv(Setting):
    """Keys of a Secret as environment variables.

    Args:
        name: The Secret.
        env: Its keys by the variable that each becomes.
        steps: Who is given it.
        required: Whether a step refuses to begin without it.
    """

    name: Name
    env: Annotated[dict[Variable, str], Field(min_length=1)]
    steps: Steps
    required: bool = True

    @model_validator(mode="after")
    def _each_key_once(self) -> Self:
        if len(set(self.env.values())) < len(self.env):
            raise ValueError("a key of a Secret can become one variable only")
        return self


class SecretFiles(Setting):
    """A Secret as files, and the variables that name them: a step refuses to begin without them.

    Args:
        name: The Secret.
        mount: The folder.
        env: Its keys by the variable that names the file.
        steps: Who is given it.
    """

    name: Name
    mount: Place
    env: Annotated[dict[Variable, str], Field(min_length=1)]
    steps: Steps


class PlainSettings(Setting):
    """Keys of a ConfigMap as environment variables of the same names.

    Args:
        name: The ConfigMap.
        required: Keys that every step refuses to begin without.
        optional: Keys that may be missing.
    """

    name: Name = "lesionflow"
    required: tuple[Variable, ...] = ("MLFLOW_TRACKING_URI",)
    optional: tuple[Variable, ...] = ("LESIONFLOW_ARTIFACTS_URI", "MLFLOW_S3_ENDPOINT_URL", "AWS_ENDPOINT_URL")


class Claim(Setting):
    """A PersistentVolumeClaim that exists already.

    Args:
        name: The claim.
        mount: Where it is mounted.
        sub_path: What of it; empty for all.
        steps: Who sees it.
    """

    name: Name
    mount: Place
    sub_path: str = ""
    steps: Steps


class Scratch(Setting):
    """Folders of the pod alone, gone with it.

    Args:
        mount: Where; temporary files, the private folder and fetched weights go below it.
        size: When it is full the pod is evicted, never the node.
    """

    mount: Place = "/scratch"
    size: Memory = "50Gi"


class Toleration(Setting):
    """A taint that pods of a step may meet, as Kubernetes names it."""

    key: str
    operator: Literal["Equal", "Exists"] = "Exists"
    value: str = ""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute", ""] = ""


class Accelerator(Setting):
    """GPUs of a step.

    Args:
        resource: As the device plugin calls it.
        count: How many.
        product: Value of the node's label `product_label` that is wanted, such as `NVIDIA-H100-80GB-HBM3`; empty for any.
        product_label: As GPU feature discovery sets it.
    """

    resource: str = "nvidia.com/gpu"
    count: Annotated[int, Field(ge=1)] = 1
    product: str = ""
    product_label: str = "nvidia.com/gpu.product"


class Retries(Setting):
    """How often a step's pod is started again after it failed, and how long is waited.

    KFP has no word for which failures: a study that is refused is refused again, at the price of seconds.

    Args:
        times: Beyond the first.
        first_wait_s: Before the first of them; twice as long before each next.
        longest_wait_s: At most.
    """

    times: Annotated[int, Field(ge=0)] = 2
    first_wait_s: Seconds = 30
    longest_wait_s: Seconds = 600


class Needs(Setting):
    """What one step's pod is given.

    Args:
        image: `cpu` or `gpu`.
        cpu_request, cpu_limit, memory_request, memory_limit: Kubernetes quantities.
        shm: /dev/shm, which counts as memory: workers that load batches pass them through it. None leaves the node's 64 MB.
        accelerator: GPUs.
        timeout_s: The pod is ended after so many seconds.
        retries: What follows a failure.
        node_selector: Labels that its node must have.
        tolerations: Taints that its node may have.
    """

    image: Literal["cpu", "gpu"] = "cpu"
    cpu_request: Cpus = "1"
    cpu_limit: Cpus = "4"
    memory_request: Memory = "4Gi"
    memory_limit: Memory = "8Gi"
    shm: Memory | None = None
    accelerator: Accelerator | None = None
    timeout_s: Seconds = 4 * 3600
    retries: Retries = Retries()
    node_selector: dict[str, str] = {}
    tolerations: tuple[Toleration, ...] = ()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if bytes_of(self.memory_request) > bytes_of(self.memory_limit):
            raise ValueError("memory_request is above memory_limit")
        if cores_of(self.cpu_request) > cores_of(self.cpu_limit):
            raise ValueError("cpu_request is above cpu_limit")
        if self.shm is not None and bytes_of(self.shm) >= bytes_of(self.memory_limit):
            raise ValueError("shm counts as memory: it must be below memory_limit")
        if (self.image == "gpu") != (self.accelerator is not None):
            raise ValueError("image gpu and an accelerator go together")
        return self


class FanOut(Setting):
    """How wide a pipeline fans out.

    Args:
        shards: Parts that studies are dealt to by patient, and arrays by case; 1 for none.
        folds: Folds that are trained side by side, as many as `split.n_folds` where `train.folds` is not `one`; 1 for one after the other.
        parallelism: Pods of one loop at once; the others wait.
    """

    # Each is a task of the workflow, which Kubernetes keeps as one object of some MB.
    shards: Annotated[int, Field(ge=1, le=1000)] = 1
    folds: Annotated[int, Field(ge=1, le=100)] = 1
    parallelism: Annotated[int, Field(ge=1, le=1000)] = 4

    @property
    def is_wide(self) -> bool:
        """Whether any step has several pods at once."""
        return self.shards > 1 or self.folds > 1
