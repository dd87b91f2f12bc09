import pytest

from lesionflow.cli import main
from lesionflow.cli.retraining import retrain_command
from lesionflow.config.challenger import InitialWeights, Trigger
from lesionflow.workspace.retraining import command


@pytest.fixture
def asked(monkeypatch):
    """What the command asks for; it gives back what a test put there."""
    seen = {"code": 0}

    def note(folder, **options):
        seen.update(options, folder=folder)
        return seen["code"]

    monkeypatch.setattr(command, "retrain", note)
    return seen


def test_options_are_handed_on_as_triggers_and_weights(asked, tmp_path):
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    assert main(["retrain", "--workdir", str(tmp_path), "--because", "drift", "--from", "both"]) == 0
    assert (asked["because"], asked["initial_weights"]) == (Trigger.DRIFT, InitialWeights.BOTH)
    assert asked["folder"] == tmp_path


def test_without_options_the_file_or_the_params_say(asked, tmp_path):
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    main(["retrain", "--workdir", str(tmp_path)])
    assert (asked["because"], asked["initial_weights"]) == (None, None)


def test_a_stage_that_failed_is_told_and_its_code_given(asked, tmp_path, capsys):
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    asked["code"] = 5
    assert main(["retrain", "--workdir", str(tmp_path)]) == 5
    assert "it goes on there" in capsys.readouterr().err
    assert retrain_command.FAILED


def test_a_word_that_is_no_trigger_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["retrain", "--because", "boredom"])
    assert "boredom" in capsys.readouterr().err


def test_a_folder_that_is_no_workspace_is_refused(tmp_path, capsys):
    assert main(["retrain", "--workdir", str(tmp_path)]) == 2
    assert "lesionflow init" in capsys.readouterr().err
