"""The step `evaluate` as a Kubeflow component: a declaration only."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def evaluate_step(
    cases: dsl.Input[dsl.Dataset],
    splits: dsl.Input[dsl.Artifact],
    bundle: dsl.Input[dsl.Model],
    params: str,
    evaluation: dsl.Output[dsl.Artifact],
) -> None:
    """Score whole volumes in source space."""
    from pathlib import Path

    from lesionflow.steps import run_step

    counts = run_step(
        "evaluate",
        params,
        {"cases": Path(cases.path), "splits": Path(splits.path), "bundle": Path(bundle.path)},
        {"evaluation": Path(evaluation.path)},
    )
    evaluation.metadata.update(counts)
