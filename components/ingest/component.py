"""The step `ingest` as a Kubeflow component: a declaration only."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def ingest_step(
    raw_path: str,
    data_repository: str,
    data_revision: str,
    data_remote: str,
    project_store: str,
    params: str,
    cases: dsl.Output[dsl.Dataset],
) -> None:
    """Read studies of any layout, de-identified, into cases."""
    from pathlib import Path

    from lesionflow.steps import run_step
    from lesionflow.workspace.data_at_revision import studies_at

    with studies_at(raw_path, data_repository, data_revision, data_remote) as raw:
        counts = run_step("ingest", params, {"raw": raw}, {"cases": Path(cases.path)}, project_store=project_store)
    cases.metadata.update(counts)
