"""The pipeline on this machine: what its containers see, how challengers begin."""

import functools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kfp import dsl, local
from kfp.dsl.pipeline_context import Pipeline

from lesionflow.config import Settings
from lesionflow.config.challenger import InitialWeights
from lesionflow.workspace.retraining.champion import find_present_champion
from lesionflow.workspace.retraining.command import starts_of
from lesionflow.workspace.retraining.request import Start

#: Variables that steps in containers get from here.
FOR_STEPS = ("LESIONFLOW_", "MLFLOW_", "AWS_", "OMP_", "GIT_")


def with_image(pipeline: Any, image: str) -> Any:
    """Return a pipeline with every step in one image."""

    @functools.wraps(pipeline.pipeline_func)
    def build(*args: Any, **kwargs: Any) -> None:
        pipeline.pipeline_func(*args, **kwargs)
        for task in Pipeline.get_default_pipeline().tasks.values():
            task.set_container_image(image)

    return dsl.pipeline(name=pipeline.component_spec.name)(build)


def container_runner(folders: Sequence[Path]) -> local.DockerRunner:
    """Return what runs steps in containers: they see these folders under their own names, our environment's settings, and the host's network.

    Args:
        folders: What steps read or write beside their artifacts.
    """
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if name.startswith(FOR_STEPS)}
    places = [str(folder.resolve()) for folder in folders]
    # kfp has each container remove itself, and may tell one that failed as a success: outputs are what counts.
    return local.DockerRunner(
        environment=kept | {"HOME": "/tmp"},  # noqa: S108 - in the container
        network_mode="host",
        # kfp keeps `volumes` for its own.
        mounts=[{"Type": "bind", "Source": place, "Target": place} for place in places],
        user=f"{os.getuid()}:{os.getgid()}",
    )


def starts_in(
    sections: Mapping[str, Mapping[str, Any]], params_file: Path, initial_weights: InitialWeights | None
) -> tuple[Start, ...]:
    """Return how challengers begin: as `lesionflow retrain` says it."""
    champion = None
    if initial_weights is not None:
        champion = find_present_champion(str(sections["register"]["model_name"]), Settings())
    source = champion.source if champion else None
    return starts_of(initial_weights, params_file, source, may_warm_start=True)


def with_source(train: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Return the section `train` with another source of its first weights."""
    return {**train, "transfer": {**train["transfer"], "source": source}}
