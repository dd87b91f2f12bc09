"""Name the studies by their content, before `ingest`: its cache is keyed by what this says. Never cached itself."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def find_data_step(raw_path: str, data_repository: str, data_revision: str) -> str:
    """Return the commit that last changed the recorded studies, or the hash over a folder's files."""
    from lesionflow.workspace.data_at_revision import find_revision

    return find_revision(raw_path, data_repository, data_revision)
