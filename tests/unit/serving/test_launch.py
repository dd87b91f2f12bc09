"""How the command line starts the service."""

import os
import shutil
import subprocess
import sys

from lesionflow.serving.launch import serve_command, serve_environment


def test_only_this_machine_is_listened_to_unless_asked():
    command = serve_command(port=4321)
    assert command[:4] == [sys.executable, "-m", "bentoml", "serve"]
    assert command[command.index("--host") + 1] == "127.0.0.1"
    assert command[command.index("--port") + 1] == "4321"


def test_the_environment_names_the_model_and_keeps_the_rest(tmp_path):
    made = serve_environment(model="2", model_name="m", tracking_uri="sqlite:///x.db", environment={"PATH": "/bin"})
    assert made["PATH"] == "/bin"
    assert (made["LESIONFLOW_MODEL"], made["LESIONFLOW_MODEL_NAME"]) == ("2", "m")
    assert made["MLFLOW_TRACKING_URI"] == "sqlite:///x.db"
    assert made["BENTOML_DO_NOT_TRACK"] == "True"


def test_the_folder_of_a_bundle_is_named_absolutely(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bundle").mkdir()
    made = serve_environment(model="bundle", model_name=None, tracking_uri="sqlite:///x.db", environment={})
    assert made["LESIONFLOW_MODEL"] == str(tmp_path / "bundle")
    assert "LESIONFLOW_MODEL_NAME" not in made


def test_asking_how_to_start_imports_no_server():
    code = (
        "import sys, lesionflow.serving.launch; print([m for m in sys.modules if m in ('bentoml', 'torch', 'mlflow')])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_a_service_that_neighbors_could_ask_without_a_key_does_not_start(tmp_path):
    command = [sys.executable, "-m", "lesionflow.serving", "--model", str(tmp_path), "--host", "0.0.0.0"]
    environment = {**os.environ, "LESIONFLOW_ACCESS": "open", "MLFLOW_TRACKING_URI": "sqlite:///x.db"}
    ran = subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=120, check=False
    )
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "LESIONFLOW_ACCESS=keys" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_check_looks_once_and_serves_nothing(bundle_folder, tmp_path):
    environment = {
        **os.environ,
        "MLFLOW_TRACKING_URI": "sqlite:///x.db",
        "LESIONFLOW_STATE_DIR": str(tmp_path / "state"),
    }
    environment |= {"LESIONFLOW_MIN_FREE_MB": "1", "LESIONFLOW_DEVICE": "cpu"}

    def look(model):
        command = [sys.executable, "-m", "lesionflow.serving", "--check", "--model", str(model)]
        return subprocess.run(
            command, capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=120, check=False
        )

    ran = look(bundle_folder)
    assert (ran.returncode, "FAIL" in ran.stdout) == (0, False), ran.stdout + ran.stderr
    broken = shutil.copytree(bundle_folder, tmp_path / "bundle")
    (broken / "plan.json").write_text("{}")
    ran = look(broken)
    assert ran.returncode == 6
    assert "FAIL model: Expected plan.json" in ran.stdout
