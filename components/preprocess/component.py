"""The step `preprocess` as a Kubeflow component: a declaration only."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def preprocess_step(
    cases: dsl.Input[dsl.Dataset],
    plan: dsl.Input[dsl.Artifact],
    project_store: str,
    params: str,
    preprocessed: dsl.Output[dsl.Dataset],
) -> None:
    """Bring every case to model space."""
    from pathlib import Path

    from lesionflow.steps import run_step

    counts = run_step(
        "preprocess",
        params,
        {"cases": Path(cases.path), "plan": Path(plan.path)},
        {"preprocessed": Path(preprocessed.path)},
        project_store=project_store,
    )
    preprocessed.metadata.update(counts)
