"""The step `split` as a Kubeflow component: a declaration only."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def split_step(
    cases: dsl.Input[dsl.Dataset],
    validation: dsl.Input[dsl.Artifact],
    params: dict,
    splits: dsl.Output[dsl.Artifact],
) -> None:
    """Divide patients; the test set is locked."""
    from pathlib import Path

    from lesionflow.steps import run_step

    counts = run_step(
        "split", params, {"cases": Path(cases.path), "validation": Path(validation.path)}, {"splits": Path(splits.path)}
    )
    splits.metadata.update(counts)
