"""The end of a fanned-out step `preprocess` as a Kubeflow component: a declaration only."""

from typing import List  # noqa: UP035 - kfp reads no other

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def preprocess_join_step(
    parts: dsl.Input[List[dsl.Dataset]],  # noqa: UP006
    cases: dsl.Input[dsl.Dataset],
    plan: dsl.Input[dsl.Artifact],
    project_store: str,
    params: str,
    preprocessed: dsl.Output[dsl.Dataset],
) -> None:
    """Make one folder of arrays of all parts."""
    from pathlib import Path

    from lesionflow.steps.fan_out.parts import join_parts

    counts = join_parts(
        "preprocess",
        params,
        {"cases": Path(cases.path), "plan": Path(plan.path)},
        [Path(part.path) for part in parts],
        {"preprocessed": Path(preprocessed.path)},
        project_store=project_store,
    )
    preprocessed.metadata.update(counts)
