import pytest

from lesionflow.config.presets import find_params
from lesionflow.workspace.creation import init_workspace
from lesionflow.workspace.retraining.news import find_news, parse_status


def test_what_dvc_says_is_read_as_studies_params_and_stages():
    status = {
        "ingest": [
            {"changed deps": {"data/raw": "modified", "params.yaml": "new"}},
            {"changed outs": {"data/cases": "deleted"}},
        ],
        "train": [{"changed deps": {"params.yaml": {"train": "modified"}}}],
        "promote": ["changed command"],
        "data/raw.dvc": [{"changed outs": {"data/raw": "modified"}}],
    }
    news = parse_status(status)
    assert news.studies
    assert news.params == ("ingest", "train")
    assert news.stages == ("ingest", "train", "promote")
    assert parse_status({}) == (False, (), ())
    assert not parse_status({"train": [{"changed deps": {"data/cases": "modified"}}]}).studies


@pytest.mark.slow
def test_dvc_itself_tells_new_studies_of_a_workspace(tmp_path):
    folder = tmp_path / "work"
    init_workspace(folder, find_params("phantom_ct"))
    (folder / "data" / "raw").mkdir(parents=True)
    (folder / "data" / "raw" / "one").write_text("study")
    news = find_news(folder, lambda _: None)
    assert news.studies
    assert news.stages[0] == "ingest"
