"""The step `split` as a Kubeflow component: a declaration only."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def split_step(
    cases: dsl.Input[dsl.Dataset],
    validation: dsl.Input[dsl.Artifact],
    project_store: str,
    params: str,
    splits: dsl.Output[dsl.Artifact],
) -> str:
    """Divide patients; the test set is locked. Return the name of the split by its content."""
    from pathlib import Path

    from lesionflow.config import Settings
    from lesionflow.steps import run_step
    from lesionflow.steps.pinned_split import pin_of

    counts = run_step(
        "split",
        params,
        {"cases": Path(cases.path), "validation": Path(validation.path)},
        {"splits": Path(splits.path)},
        project_store=project_store,
    )
    splits.metadata.update(counts)
    return pin_of(Path(splits.path), Settings().tracking_uri)
