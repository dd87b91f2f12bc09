"""The steps that may have several pods at once: one task, or a loop over the parts of a step and a task that joins them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from kfp import dsl

from components.choose.component import choose_step
from components.find_data.component import find_data_step
from components.ingest.component import ingest_step
from components.ingest_join.component import ingest_join_step
from components.ingest_shard.component import ingest_shard_step
from components.preprocess.component import preprocess_step
from components.preprocess_join.component import preprocess_join_step
from components.preprocess_shard.component import preprocess_shard_step
from components.train.component import train_step
from components.train_candidate.component import train_candidate_step
from components.train_fold.component import train_fold_step
from components.train_join.component import train_join_step
from pipelines.pod_settings import FanOut

#: What a step may take on a cluster; without meaning on one machine.
TRAIN_MEMORY, TRAIN_CPUS, OTHER_MEMORY = "16G", "4", "8G"
TRAIN_ACCELERATOR, TRAIN_ACCELERATORS = "nvidia.com/gpu", "1"

#: The argument of a sweep.
CANDIDATES = "candidates"
Given = Mapping[str, Any]


class Studies(NamedTuple):
    """Which studies: a folder, or a repository with a revision and a remote."""

    raw_path: str = ""
    data_repository: str = ""
    data_revision: str = ""
    data_remote: str = ""


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


def train_candidates(fan_out: FanOut, candidates: Any, inputs: Given, params: Any) -> tuple[Any, Any]:
    """Train candidates of a sweep side by side.

    Args:
        fan_out: How many at once.
        candidates: The list of texts, each the params that are a candidate's own.
        inputs: `cases`, `preprocessed`, `splits` and `plan`.
        params: Of the step.

    Returns:
        The task of a candidate, and the one whose output is the best one's `bundle`.
    """
    with dsl.ParallelFor(candidates, parallelism=fan_out.parallelism, name="candidates") as changes:
        candidate = train_candidate_step(changes=changes, **inputs, params=params)
    return candidate, choose_step(candidates=dsl.Collected(candidate.outputs["bundle"]))


def make_cases(fan_out: FanOut, studies: Studies, project_store: str, params: Any) -> Any:
    """Return the task whose output is `cases`."""
    # What is asked of the world is asked in every run; what follows is cached by the answer.
    found = find_data_step(
        raw_path=studies.raw_path, data_repository=studies.data_repository, data_revision=studies.data_revision
    )
    found.set_caching_options(enable_caching=False)
    named = studies._replace(data_revision=found.output)._asdict()
    if fan_out.shards > 1:
        return ingest_in_shards(fan_out, named, project_store, params)
    return ingest_step(**named, project_store=project_store, params=params).set_memory_limit(OTHER_MEMORY)


def make_arrays(fan_out: FanOut, inputs: Mapping[str, Any], project_store: str, params: Any) -> Any:
    """Return the task whose output is `preprocessed`."""
    if fan_out.shards > 1:
        return preprocess_in_shards(fan_out, inputs, project_store, params)
    return preprocess_step(**inputs, project_store=project_store, params=params).set_memory_limit(OTHER_MEMORY)


def make_bundle(fan_out: FanOut, inputs: Mapping[str, Any], params: Any, candidates: Any = None) -> Any:
    """Return the task whose output is `bundle`: of one training, of folds apart, or of the best of several candidates."""
    if candidates is not None:
        # Choosing trains nothing.
        *trainings, last = train_candidates(fan_out, candidates, inputs, params)
    elif fan_out.folds > 1:
        *_, last = trainings = train_in_folds(fan_out, inputs, params)
    else:
        *_, last = trainings = (train_step(**inputs, params=params),)
    for task in trainings:
        task.set_memory_limit(TRAIN_MEMORY).set_cpu_limit(TRAIN_CPUS)
        task.set_accelerator_type(TRAIN_ACCELERATOR).set_accelerator_limit(TRAIN_ACCELERATORS)
    return last
