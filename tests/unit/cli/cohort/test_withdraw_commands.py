"""`data withdraw` at its borders; what it does is held in the planted patient's test."""

import pytest

from lesionflow.cli import main


def test_a_folder_that_is_no_workspace_is_refused(tmp_path, capsys):
    assert main(["data", "withdraw", "p-00000000000a", "--workdir", str(tmp_path)]) == 2
    assert "Expected a workspace" in capsys.readouterr().err


@pytest.mark.parametrize("more", [[], ["--readmit"]])
def test_a_patient_that_nobody_knows_is_refused(tmp_path, capsys, more):
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    assert main(["data", "withdraw", "Anna", "--workdir", str(tmp_path), *more]) == 2
    assert "found no study of such a one" in capsys.readouterr().err
