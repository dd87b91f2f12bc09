"""A part of the step `preprocess` as a Kubeflow component: a declaration only."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def preprocess_shard_step(
    number: int,
    of: int,
    cases: dsl.Input[dsl.Dataset],
    plan: dsl.Input[dsl.Artifact],
    project_store: str,
    params: str,
    part: dsl.Output[dsl.Dataset],
) -> None:
    """Bring some cases to model space."""
    from pathlib import Path

    from lesionflow.cohort.shard import Shard
    from lesionflow.steps.fan_out.parts import run_part

    counts = run_part(
        "preprocess",
        params,
        {"cases": Path(cases.path), "plan": Path(plan.path)},
        Path(part.path),
        Shard(number, of),
        project_store=project_store,
    )
    part.metadata.update(counts)
