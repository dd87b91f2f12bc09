"""What is not understood is named with what was probably meant; hints of a command that was given a workspace mean that one where they are pasted."""

import shlex
import time

import pytest

from lesionflow.cli import main
from lesionflow.cli.parser import Parser, wording
from lesionflow.config.presets import PRESETS
from lesionflow.workspace.layout import dvc_yaml


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["predct", "a"], "unknown command 'predct'. Did you mean predict?"),
        (["models", "lst"], "unknown command 'lst'. Did you mean list?"),
        (["data", "ad"], "Did you mean add?"),
        (["xyzzy"], "`lesionflow --help` lists all."),
        (["run", "--workdri", "x"], "not understood: --workdri x. Did you mean --workdir?"),
        (["phantom", "out", "--format", "dicm"], "Did you mean dicom?"),
        (["run", "--params", "phantom_ct", "extra"], "not understood: extra."),
    ],
)
def test_the_nearest_is_offered(capsys, words, said):
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_a_very_long_word_is_refused_at_once_and_said_in_short(capsys):
    began = time.process_time()
    with pytest.raises(SystemExit):
        main(["p" * 100_000])
    assert time.process_time() - began < 30
    assert len(capsys.readouterr().err) < 1000


@pytest.fixture
def parser():
    parser = Parser(prog="lesionflow")
    commands = parser.add_subparsers()
    commands.add_parser("run").add_argument("--workdir")
    data = commands.add_parser("data").add_subparsers()
    data.add_parser("add").add_argument("--workdir")
    commands.add_parser("doctor")
    return parser


@pytest.mark.parametrize(
    ("said", "worded"),
    [
        ("Next: `lesionflow run` takes it in.", "Next: `lesionflow run --workdir 'my work'` takes it in."),
        ("`lesionflow data add STUDIES`", "`lesionflow data add STUDIES --workdir 'my work'`"),
        ("`lesionflow run --workdir other`", "`lesionflow run --workdir other`"),
        ("`lesionflow doctor`, `dvc fetch`, lesionflow run", "`lesionflow doctor`, `dvc fetch`, lesionflow run"),
        ("`lesionflow nothing of the kind`", "`lesionflow nothing of the kind`"),
    ],
)
def test_only_commands_of_ours_that_take_a_workspace_get_it(tmp_path, monkeypatch, parser, said, worded):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my work").mkdir()
    assert wording((tmp_path / "my work").relative_to(tmp_path), parser.takes)(said) == worded
    assert wording(None, parser.takes)(said) == said
    monkeypatch.chdir(tmp_path / "my work")
    assert wording(tmp_path / "my work", parser.takes)(said) == said, "the workspace here needs no word"


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["data", "status"], ["data", "add", "DIR"]),
        (["run"], ["data", "add", "STUDIES"]),
        (["models", "list"], ["run"]),
        (["data", "verify"], ["data", "add"]),
    ],
)
def test_a_hint_of_a_command_elsewhere_runs_as_it_is_pasted(tmp_path, monkeypatch, capsys, words, hint):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    work = tmp_path / "work"
    (work / "data").mkdir(parents=True)
    (work / "dvc.yaml").write_text(dvc_yaml())
    (work / "params.yaml").write_text((PRESETS / "phantom_ct.yaml").read_text())
    assert main(["init", "work", "--preset", "phantom_ct"]) == 0
    capsys.readouterr()
    main([*words, "--workdir", "work"])
    said = "".join(capsys.readouterr())
    pasted = [shlex.split(part) for part in said.split("`")[1::2] if part.startswith("lesionflow")]
    assert ["lesionflow", *hint] in [
        command[: command.index("--workdir")] for command in pasted if "--workdir" in command
    ]
    # The folder itself may be told in full.
    assert {command[command.index("--workdir") + 1] for command in pasted if "--workdir" in command} <= {
        "work",
        str(work),
    }
