"""`serve --check`: the same looks, once, and an exit code."""

import pytest

from lesionflow.config import Settings
from lesionflow.serving.readiness.once import check_once, main
from lesionflow.serving.settings import ServiceSettings


@pytest.fixture
def settings(tmp_path):
    return Settings(device="cpu", MLFLOW_TRACKING_URI=f"sqlite:///{tmp_path}/missing/mlflow.db")


def test_a_machine_that_can_serve_says_so_and_is_left_as_it_was(bundle_folder, settings, tmp_path, capsys):
    service = ServiceSettings(model=str(bundle_folder), state_dir=tmp_path / "state", min_free_mb=1)
    assert main(service, settings) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith("ok ") for line in lines)
    assert [line.split()[1] for line in lines] == [
        "model:", "golden_cases:", "processes:", "database:", "studies_writable:", "results_writable:", "disk:"
    ]  # fmt: skip


def test_what_is_missing_is_named_with_why_and_ends_with_an_error(settings, tmp_path, capsys):
    (tmp_path / "state").write_text("no folder")
    service = ServiceSettings(model="champion", model_name="nothing", state_dir=tmp_path / "state", min_free_mb=1)
    assert main(service, settings) == 6
    lines = capsys.readouterr().out.splitlines()
    failed = {line.split()[1] for line in lines if line.startswith("FAIL ")}
    assert {"model:", "database:"} <= failed
    assert any("no such file" in line for line in lines)


def test_a_model_beside_the_main_one_that_can_not_be_loaded_is_named(bundle_folder, settings, tmp_path, capsys):
    (tmp_path / "broken").mkdir()
    service = ServiceSettings(
        model=str(bundle_folder), model_name="unet", more_models=f"{tmp_path}/broken, copy={bundle_folder}",
        state_dir=tmp_path / "state", min_free_mb=1,
    )  # fmt: skip
    assert main(service, settings) == 6
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines if line.startswith("FAIL")] == ["FAIL model broken"]
    assert any(line.startswith("ok   model copy: copy version") for line in lines)


def test_a_full_disk_alone_is_named_alone(bundle_folder, settings, tmp_path):
    service = ServiceSettings(model=str(bundle_folder), state_dir=tmp_path / "state", min_free_mb=10**12)
    found = check_once(service, settings)
    assert {name for name, check in found.items() if not check.ok} == {"disk"}
