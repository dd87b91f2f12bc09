"""The step `ingest` as a Kubeflow component: a declaration only."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def ingest_step(
    raw_path: str,
    params: dict,
    cases: dsl.Output[dsl.Dataset],
) -> None:
    """Read studies of any layout, de-identified, into cases."""
    from pathlib import Path

    from lesionflow.steps import run_step

    counts = run_step("ingest", params, {"raw": Path(raw_path)}, {"cases": Path(cases.path)})
    cases.metadata.update(counts)
