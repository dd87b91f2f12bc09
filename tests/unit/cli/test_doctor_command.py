import pytest

from lesionflow.cli import main


def test_doctor_says_what_is_here(capsys: pytest.CaptureFixture[str]) -> None:
    main(["doctor"])
    said = capsys.readouterr().out
    for what in ("Python", "cores", "memory", "packages", "MLflow"):
        assert what in said
