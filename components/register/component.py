"""The step `register` as a Kubeflow component: a declaration only."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def register_step(
    bundle: dsl.Input[dsl.Model],
    evaluation: dsl.Input[dsl.Artifact],
    params: str,
    registration: dsl.Output[dsl.Artifact],
) -> None:
    """Register the bundle as challenger."""
    from pathlib import Path

    from lesionflow.steps import run_step

    counts = run_step(
        "register",
        params,
        {"bundle": Path(bundle.path), "evaluation": Path(evaluation.path)},
        {"registration": Path(registration.path)},
    )
    registration.metadata.update(counts)
