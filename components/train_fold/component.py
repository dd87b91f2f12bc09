"""A fold of the step `train` as a Kubeflow component: a declaration only."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def train_fold_step(
    number: int,
    of: int,
    cases: dsl.Input[dsl.Dataset],
    preprocessed: dsl.Input[dsl.Dataset],
    splits: dsl.Input[dsl.Artifact],
    plan: dsl.Input[dsl.Artifact],
    params: str,
    part: dsl.Output[dsl.Artifact],
) -> None:
    """Train one fold of several."""
    from pathlib import Path

    from lesionflow.cohort.shard import Shard
    from lesionflow.steps.fan_out.parts import run_part

    counts = run_part(
        "train",
        params,
        {
            "cases": Path(cases.path),
            "preprocessed": Path(preprocessed.path),
            "splits": Path(splits.path),
            "plan": Path(plan.path),
        },
        Path(part.path),
        Shard(number, of),
    )
    part.metadata.update(counts)
