"""A part of the step `ingest` as a Kubeflow component: a declaration only."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def ingest_shard_step(
    number: int,
    of: int,
    raw_path: str,
    data_repository: str,
    data_revision: str,
    data_remote: str,
    project_store: str,
    params: str,
    part: dsl.Output[dsl.Dataset],
) -> None:
    """Read the studies of some patients, de-identified, into cases."""
    from pathlib import Path

    from lesionflow.cohort.shard import Shard
    from lesionflow.steps.fan_out.parts import run_part
    from lesionflow.workspace.data_at_revision import studies_at

    with studies_at(raw_path, data_repository, data_revision, data_remote) as raw:
        counts = run_part(
            "ingest", params, {"raw": raw}, Path(part.path), Shard(number, of), project_store=project_store
        )
    part.metadata.update(counts)
