import pytest

from lesionflow.errors import ArtifactError
from lesionflow.registry.evaluations import find_run
from support.evaluated import two_evaluated_models


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A champion that finds nothing, and a later model that calls every voxel tumor."""
    with pytest.MonkeyPatch.context() as patch:
        yield two_evaluated_models(tmp_path_factory.mktemp("evaluated"), patch)


@pytest.fixture(autouse=True)
def _store(workspace, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", workspace.uri)
    monkeypatch.setenv("LESIONFLOW_DEVICE", "cpu")


def test_compare_finds_models_by_all_their_names(workspace) -> None:
    run_id = workspace.all.card.run_id
    assert find_run(workspace.uri, run_id) == find_run(workspace.uri, "calls-all-tumor") == (run_id, "calls-all-tumor")
    assert find_run(workspace.uri, run_id[:12])[0] == run_id
    assert find_run(workspace.uri, "challenger") == (run_id, "lesionflow-knees version 2")
    assert find_run(workspace.uri, "lesionflow-knees/2") == (run_id, "lesionflow-knees version 2")
    assert find_run(workspace.uri, "champion")[0] == workspace.none.card.run_id
    for wanted in ("nobody", "lesionflow-knees/9", "it's", "abc"):
        with pytest.raises(ArtifactError, match="Expected one run"):
            find_run(workspace.uri, wanted)
