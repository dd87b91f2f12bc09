from pathlib import Path

from lesionflow.cli.project import init_workspace
from lesionflow.config.presets import find_params


def test_a_workspace_is_made_once_and_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    init_workspace(folder, find_params("phantom_ct"))
    (folder / "params.yaml").write_text("mine", encoding="utf-8")
    init_workspace(folder, find_params("phantom_ct"))
    assert (folder / "params.yaml").read_text(encoding="utf-8") == "mine"
    assert (folder / ".dvc" / "config").exists()
    assert (folder / "dvc.yaml").exists()
