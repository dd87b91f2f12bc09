"""What a cluster gives each pod: `cluster.yaml`, checked. It names secrets; it never holds the value of one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from lesionflow.config.yaml_reading import read_yaml
from lesionflow.errors import ConfigError
from lesionflow.steps import STEPS
from pipelines.pod_settings import (
    Accelerator,
    Claim,
    FanOut,
    Name,
    Needs,
    PlainSettings,
    Scratch,
    SecretEnv,
    SecretFiles,
    Setting,
    Steps,
    Toleration,
)  # fmt: skip

#: For every task, what closes a run included.
ALL, CLOSING = "all", "close-runs"
#: Tasks that are no step of their own: they say by content what steps are given.
PINS = ("find-data", "pin-splits")
TRAIN = Needs(
    image="gpu", cpu_request="4", cpu_limit="8", memory_request="16Gi", memory_limit="32Gi", shm="8Gi",
    accelerator=Accelerator(), timeout_s=2 * 24 * 3600,
    tolerations=(Toleration(key="nvidia.com/gpu", effect="NoSchedule"),),
)  # fmt: skip
OF_MLFLOW: Steps = ("validate", "split", "train", "evaluate", "register", "promote", "close-runs")


class Cluster(Setting):
    """All of it. Every default can be read in `pipelines/cluster.yaml`.

    Args:
        plain: Settings that may be read by everybody.
        secret_env: Secrets as variables.
        secret_files: Secrets as files, such as the key that signs bundles.
        claims: Volumes that exist.
        scratch: Folders that end with the pod.
        image_pull_policy: An image by digest never changes, so `IfNotPresent`.
        image_pull_secrets: For a registry that asks who pulls.
        run_as: User and group of the image; root is never asked for.
        usual: What a step is given that `steps` does not name.
        steps: What single steps are given instead, by step.
        fan_out: How wide.
    """

    plain: PlainSettings = PlainSettings()
    secret_env: tuple[SecretEnv, ...] = (
        SecretEnv(
            name="lesionflow-mlflow",
            env={"MLFLOW_TRACKING_USERNAME": "username", "MLFLOW_TRACKING_PASSWORD": "password"},
            steps=OF_MLFLOW,
        ),
        SecretEnv(name="lesionflow-pseudonym", env={"LESIONFLOW_PSEUDONYM_KEY": "key"}, steps=("ingest",)),
        SecretEnv(
            name="lesionflow-store",
            env={"AWS_ACCESS_KEY_ID": "access_key_id", "AWS_SECRET_ACCESS_KEY": "secret_access_key"},
            steps=(ALL,),
            required=False,
        ),
    )
    secret_files: tuple[SecretFiles, ...] = ()
    claims: tuple[Claim, ...] = (Claim(name="lesionflow-raw", mount="/data", steps=("find-data", "ingest")),)
    scratch: Scratch = Scratch()
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    image_pull_secrets: tuple[Name, ...] = ()
    run_as: Annotated[int, Field(ge=1)] = 10001
    usual: Needs = Needs()
    steps: Annotated[dict[str, Needs], Field(default_factory=lambda: {"train": TRAIN})]
    fan_out: FanOut = FanOut()

    @model_validator(mode="after")
    def _names_steps(self) -> Self:
        named = {*self.steps, *(s for each in (*self.secret_env, *self.secret_files, *self.claims) for s in each.steps)}
        if unknown := sorted(named - {ALL, CLOSING, *PINS, *STEPS}):
            raise ValueError(f"no step is called {', '.join(unknown)}; there are {', '.join([*STEPS, *PINS, CLOSING])}")
        return self

    def needs(self, step: str) -> Needs:
        """Return what a step's pod is given."""
        return self.steps.get(step, self.usual)


def load_cluster(path: Path | None) -> Cluster:
    """Read a cluster file; what it leaves out is as `pipelines/cluster.yaml` has it.

    Args:
        path: The file; None for the defaults.

    Raises:
        ConfigError: When it can't be read, a key is unknown, a value does not fit, or a step does not exist.
    """
    if path is None:
        return Cluster()
    try:
        values = read_yaml(path.read_text(encoding="utf-8")).values or {}
        return Cluster.model_validate(_with_defaults(values))
    except OSError as error:
        raise ConfigError(f"Expected a cluster file at {path}, found none that can be read. Name one.") from error
    except ValidationError as error:
        # pydantic's own words would repeat the value, which somebody may have pasted a secret into.
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors())
        raise ConfigError(f"The cluster file {path} does not fit; mend: {faults}.") from None
    except (ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"Expected a cluster file at {path}, found: {error}.") from error


def _with_defaults(values: Mapping[str, object]) -> dict[str, object]:
    """Let what is said of a step change the default of that step, not replace it."""
    merged = dict(values)
    default = Cluster()
    usual = {**default.usual.model_dump(), **_mapping(merged.get("usual"))}
    merged["usual"] = usual
    steps = {name: needs.model_dump() for name, needs in default.steps.items()}
    for name, said in _mapping(merged.get("steps")).items():
        steps[name] = {**steps.get(name, usual), **_mapping(said)}
    merged["steps"] = steps
    return merged


def _mapping(value: object) -> dict[str, object]:
    return dict(value) if isinstance(value, Mapping) else {}
