"""The end of a fanned-out step `ingest` as a Kubeflow component: a declaration only."""

from typing import List  # noqa: UP035 - kfp reads no other

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def ingest_join_step(
    parts: dsl.Input[List[dsl.Dataset]],  # noqa: UP006
    project_store: str,
    params: str,
    cases: dsl.Output[dsl.Dataset],
) -> None:
    """Make one folder of cases of all parts."""
    from pathlib import Path

    from lesionflow.steps.fan_out.parts import join_parts

    counts = join_parts(
        "ingest",
        params,
        {},
        [Path(part.path) for part in parts],
        {"cases": Path(cases.path)},
        project_store=project_store,
    )
    cases.metadata.update(counts)
