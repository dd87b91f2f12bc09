import subprocess
import sys
from pathlib import Path

import pytest

from lesionflow.cli import main
from lesionflow.config.presets import find_params
from lesionflow.errors import ConfigError
from lesionflow.io.stores.promotions import write_decision
from lesionflow.steps import STEPS
from support.decisions import decision

HEAVY = ("torch", "mlflow", "numpy", "pandas", "pydicom", "bentoml", "great_expectations", "rich", "dvc", "kfp")


def test_help_loads_no_heavy_library() -> None:
    code = f"import sys, lesionflow.cli; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_wrong_params_key_is_named_and_exits_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    params = tmp_path / "params.yaml"
    text = find_params("phantom_ct").read_text(encoding="utf-8")
    params.write_text(text.replace("  n_folds: 4", "  n_foldes: 4"), encoding="utf-8")
    code = main(
        ["split", "--params", str(params), "--cases", "a", "--validation", "b", "--splits", str(tmp_path / "c")]
    )
    said = capsys.readouterr().err
    assert code == 2
    assert "split.n_folds" in said
    assert "split.n_foldes" in said
    assert "Traceback" not in said


def test_a_missing_input_is_named_with_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--params", "phantom_ct", "--cases", str(tmp_path / "no"), "--validation", str(tmp_path / "out")]
    assert main(["validate", *arguments]) == 2
    assert "Run the step that makes it" in capsys.readouterr().err


def test_an_unknown_preset_offers_the_nearest() -> None:
    with pytest.raises(ConfigError, match="Did you mean phantom_ct"):
        find_params("fantom_ct")


def test_an_empty_folder_exits_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "raw").mkdir()
    arguments = ["--params", "phantom_ct", "--raw", str(tmp_path / "raw"), "--cases", str(tmp_path / "cases")]
    assert main(["ingest", *arguments]) == 3
    assert "empty_folder" in capsys.readouterr().err


@pytest.mark.parametrize("within_run", ["", "1"])
def test_promote_says_its_decision_unless_who_runs_all_stages_does(
    within_run: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("lesionflow.cli.run_step", lambda *_: {"promoted": 0.0})
    monkeypatch.delenv("LESIONFLOW_WITHIN_RUN", raising=False)
    if within_run:
        monkeypatch.setenv("LESIONFLOW_WITHIN_RUN", within_run)
    write_decision(tmp_path / "promotion", decision())
    step = STEPS["promote"]
    paths = [word for key in (*step.inputs, *step.outputs) for word in (f"--{key}", str(tmp_path / key))]
    assert main(["promote", "--params", "phantom_ct", *paths]) == 0
    assert capsys.readouterr().out.count("Decision: Refused.") == (0 if within_run else 1)
