"""Steps on several pods at once: a loop over the parts of a step, and a task that joins them."""

from collections.abc import Mapping
from typing import Any

from kfp import dsl

from components.ingest_join.component import ingest_join_step
from components.ingest_shard.component import ingest_shard_step
from components.preprocess_join.component import preprocess_join_step
from components.preprocess_shard.component import preprocess_shard_step
from components.train_fold.component import train_fold_step
from components.train_join.component import train_join_step
from pipelines.pod_settings import FanOut

Given = Mapping[str, Any]


def ingest_in_shards(fan_out: FanOut, studies: Given, project_store: str, params: Any) -> Any:
    """Read studies in parts, by patient.

    Args:
        fan_out: How many, and how many at once.
        studies: Which, as arguments of the component.
        project_store: Of the pipeline.
        params: Of the step.

    Returns:
        The task whose output is `cases`.
    """
    with dsl.ParallelFor(list(range(fan_out.shards)), parallelism=fan_out.parallelism, name="ingest-shards") as number:
        shard = ingest_shard_step(
            number=number, of=fan_out.shards, **studies, project_store=project_store, params=params
        )
    return ingest_join_step(parts=dsl.Collected(shard.outputs["part"]), project_store=project_store, params=params)


def preprocess_in_shards(fan_out: FanOut, inputs: Given, project_store: str, params: Any) -> Any:
    """Make arrays in parts, by case.

    Args:
        fan_out: How many, and how many at once.
        inputs: `cases` and `plan`.
        project_store: Of the pipeline.
        params: Of the step.

    Returns:
        The task whose output is `preprocessed`.
    """
    with dsl.ParallelFor(
        list(range(fan_out.shards)), parallelism=fan_out.parallelism, name="preprocess-shards"
    ) as number:
        shard = preprocess_shard_step(
            number=number, of=fan_out.shards, **inputs, project_store=project_store, params=params
        )
    return preprocess_join_step(
        parts=dsl.Collected(shard.outputs["part"]), **inputs, project_store=project_store, params=params
    )


def train_in_folds(fan_out: FanOut, inputs: Given, params: Any) -> tuple[Any, Any]:
    """Train folds side by side.

    Args:
        fan_out: How many, and how many at once.
        inputs: `cases`, `preprocessed`, `splits` and `plan`.
        params: Of the step.

    Returns:
        The task of a fold, and the one whose output is `bundle`.
    """
    with dsl.ParallelFor(list(range(fan_out.folds)), parallelism=fan_out.parallelism, name="folds") as number:
        fold = train_fold_step(number=number, of=fan_out.folds, **inputs, params=params)
    return fold, train_join_step(parts=dsl.Collected(fold.outputs["part"]), **inputs, params=params)
