"""Making, filling and running a workspace by the command line; DVC itself is not started here."""

import pytest
import yaml

from lesionflow.cli import main, workspace_commands
from lesionflow.config.presets import find_params


@pytest.fixture
def runs(monkeypatch):
    """What would have been run, and with which code it ends."""
    seen = {"code": 0, "folders": [], "recorded": []}
    monkeypatch.setattr(
        workspace_commands, "run_workspace", lambda folder, say: seen["folders"].append(folder) or seen["code"]
    )
    monkeypatch.setattr(
        workspace_commands,
        "record_new_studies",
        lambda folder, *, relinked, say: seen["recorded"].append((folder, relinked)),
    )
    return seen


def test_init_makes_a_workspace_of_a_preset_and_says_what_comes_next(tmp_path, capsys):
    assert main(["init", str(tmp_path / "work"), "--preset", "sts_petct"]) == 0
    assert (tmp_path / "work/params.yaml").read_bytes() == find_params("sts_petct").read_bytes()
    said = capsys.readouterr().out
    assert "is a workspace now: git, DVC, dvc.yaml, params.yaml (the preset sts_petct) and change_plan.yaml" in said
    assert f"lesionflow data add STUDIES --workdir {tmp_path / 'work'}" in said
    assert set(yaml.safe_load((tmp_path / "work/dvc.yaml").read_text())["stages"]) >= {"ingest", "promote"}


def test_init_over_a_workspace_of_another_preset_is_refused(tmp_path, capsys):
    work = tmp_path / "work"
    assert main(["init", str(work), "--preset", "phantom_ct"]) == 0
    assert main(["init", str(work), "--preset", "phantom_ct"]) == 0
    assert "nothing was changed" in capsys.readouterr().out
    assert main(["init", str(work), "--preset", "sts_petct"]) == 2
    assert "found the preset phantom_ct in" in capsys.readouterr().err
    assert (work / "params.yaml").read_bytes() == find_params("phantom_ct").read_bytes()


def test_params_that_were_edited_are_not_replaced_without_a_word(tmp_path, runs, capsys):
    (tmp_path / "studies").mkdir()
    work, data = tmp_path / "work", ["--data", str(tmp_path / "studies")]
    assert main(["run", "--workdir", str(work), "--params", "phantom_ct", *data]) == 0
    (work / "params.yaml").write_text((work / "params.yaml").read_text() + "# mine\n")
    assert main(["run", "--workdir", str(work), "--params", "phantom_ct"]) == 2
    assert "--replace-params" in capsys.readouterr().err
    assert (work / "params.yaml").read_text().endswith("# mine\n")
    assert len(runs["folders"]) == 1
    assert main(["run", "--workdir", str(work), "--params", "phantom_ct", "--replace-params"]) == 0
    assert "it was an edited file" in capsys.readouterr().out


def test_run_makes_the_workspace_links_the_studies_and_runs(tmp_path, runs):
    (tmp_path / "studies").mkdir()
    work = tmp_path / "work"
    assert main(["run", "--workdir", str(work), "--params", "phantom_ct", "--data", str(tmp_path / "studies")]) == 0
    assert (work / "data/raw").resolve() == tmp_path / "studies"
    assert (runs["folders"], runs["recorded"]) == ([work], [(work, True)])
    # Again without --data: what was linked is what was recorded, and must still be so.
    assert main(["run", "--workdir", str(work)]) == 0
    assert runs["recorded"][-1] == (work, False)


def test_other_params_replace_those_of_the_workspace_and_without_any_they_stay(tmp_path, runs):
    (tmp_path / "studies").mkdir()
    work = tmp_path / "work"
    main(["run", "--workdir", str(work), "--params", "phantom_ct", "--data", str(tmp_path / "studies")])
    main(["run", "--workdir", str(work)])
    assert (work / "params.yaml").read_bytes() == find_params("phantom_ct").read_bytes()
    main(["run", "--workdir", str(work), "--params", "sts_petct"])
    assert (work / "params.yaml").read_bytes() == find_params("sts_petct").read_bytes()


def test_without_studies_nothing_runs_and_it_says_what_to_give(tmp_path, runs, capsys):
    assert main(["run", "--workdir", str(tmp_path / "work"), "--params", "phantom_ct"]) == 2
    assert "--data" in capsys.readouterr().err
    assert runs["folders"] == []


def test_a_step_that_failed_is_told_with_its_code(tmp_path, runs, capsys):
    (tmp_path / "studies").mkdir()
    runs["code"] = 4
    arguments = ["--workdir", str(tmp_path / "work"), "--params", "phantom_ct", "--data", str(tmp_path / "studies")]
    assert main(["run", *arguments]) == 4
    assert "run again" in capsys.readouterr().err


def test_phantoms_are_written_with_their_truth_apart(tmp_path, capsys):
    assert main(["phantom", str(tmp_path), "--cases", "1", "--seed", "5", "--first", "3", "--format", "png"]) == 0
    assert "1 patients in" in capsys.readouterr().out
    names = {path.name.rpartition("_")[0] for path in (tmp_path / "png/images").iterdir()}
    assert names == {"PHANTOM-0003"}
    assert [path.name for path in (tmp_path / "truth").glob("*.nii.gz")] == ["PHANTOM-0003.nii.gz"]


def test_a_run_on_linked_studies_says_how_they_are_recorded(tmp_path, runs, capsys, monkeypatch):
    (tmp_path / "studies").mkdir()
    work, data = tmp_path / "work", ["--data", str(tmp_path / "studies")]
    assert main(["run", "--workdir", str(work), "--params", "phantom_ct", *data]) == 0
    assert f"lesionflow run --workdir {work} --data {tmp_path / 'studies'} --record" in capsys.readouterr().out
    seen = []
    monkeypatch.setattr("lesionflow.cli.cohort.data_commands.add_copies", lambda *given: seen.append(given))
    assert main(["run", "--workdir", str(work), *data, "--record"]) == 0
    assert seen == [(work, tmp_path / "studies")]
    assert main(["run", "--workdir", str(work), "--record"]) == 2
    assert "Expected --data with --record" in capsys.readouterr().err
