"""The step `validate` as a Kubeflow component: a declaration only."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def validate_step(
    cases: dsl.Input[dsl.Dataset],
    params: str,
    validation: dsl.Output[dsl.Artifact],
) -> None:
    """Check the case table; quarantine or fail."""
    from pathlib import Path

    from lesionflow.steps import run_step

    counts = run_step("validate", params, {"cases": Path(cases.path)}, {"validation": Path(validation.path)})
    validation.metadata.update(counts)
