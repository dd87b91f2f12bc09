import subprocess
import sys
from pathlib import Path

from lesionflow.cli.workspace_commands import init_workspace
from lesionflow.config.presets import find_params
from lesionflow.workspace.creation import install_hooks
from lesionflow.workspace.versioning.dvc_program import dvc_command


def test_a_workspace_is_made_once_and_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    init_workspace(folder, find_params("phantom_ct"))
    (folder / "params.yaml").write_text("mine", encoding="utf-8")
    init_workspace(folder, find_params("phantom_ct"))
    assert (folder / "params.yaml").read_text(encoding="utf-8") == "mine"
    assert (folder / ".dvc" / "config").exists()
    assert (folder / "dvc.yaml").exists()


def test_data_goes_to_a_store_beside_the_workspace(tmp_path: Path) -> None:
    folder = tmp_path / "team" / "work"
    init_workspace(folder, find_params("phantom_ct"))
    (folder / "data" / "study.txt").write_text("a study")
    for command in (["add", "-q", "data/study.txt"], ["push", "-q"]):
        subprocess.run([sys.executable, "-m", "dvc", *command], cwd=folder, check=True, capture_output=True)
    assert [path.name for path in tmp_path.iterdir()] == ["team"]
    assert "a study" in {path.read_text() for path in (tmp_path / "team" / "work-store").rglob("*") if path.is_file()}


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
    assert seen == {
        ".dvc/.gitignore",
        ".dvc/config",
        ".dvcignore",
        ".gitignore",
        "change_plan.yaml",
        "dvc.yaml",
        "params.yaml",
    }


def test_gits_hooks_call_dvc_when_asked_for(tmp_path):
    for command in (["git", "init", "-q"], dvc_command("init", "-q")):
        subprocess.run(command, cwd=tmp_path, check=True)
    install_hooks(tmp_path)
    install_hooks(tmp_path)
    for name in ("post-checkout", "pre-push", "pre-commit"):
        assert f"dvc git-hook {name}" in (tmp_path / ".git" / "hooks" / name).read_text()
