import subprocess
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


def test_git_sees_nothing_of_what_a_demonstration_leaves(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    init_workspace(folder, find_params("phantom_ct"))
    for name in ("phantoms/dicom/a.dcm", "unseen/study.zip", "service.log", ".mlflow.db.lock", "mlflow.db", "mlartifacts/1/a",
                 "reports/evaluation/report.html", "reports/validation.failed/x", "models/candidate/plan.json",
                 "data/cases/a", "data/raw.sha256", "data/.partial-3-cases/a"):  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    said = subprocess.run(
        ["git", "status", "--short", "--untracked-files=all"], cwd=folder, capture_output=True, text=True, check=True
    )
    seen = {line.split()[-1] for line in said.stdout.splitlines()}
    assert seen == {".dvc/.gitignore", ".dvc/config", ".dvcignore", ".gitignore", "dvc.yaml", "params.yaml"}
