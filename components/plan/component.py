"""The step `plan` as a Kubeflow component: a declaration only."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def plan_step(
    cases: dsl.Input[dsl.Dataset],
    splits: dsl.Input[dsl.Artifact],
    project_store: str,
    params: str,
    plan: dsl.Output[dsl.Artifact],
) -> None:
    """Measure the training cases and decide how to train."""
    from pathlib import Path

    from lesionflow.steps import run_step

    counts = run_step(
        "plan",
        params,
        {"cases": Path(cases.path), "splits": Path(splits.path)},
        {"plan": Path(plan.path)},
        project_store=project_store,
    )
    plan.metadata.update(counts)
