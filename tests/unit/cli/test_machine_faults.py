"""What a machine refuses is said in words, with an exit code, and not by a traceback."""

import errno
import os

import pytest

from lesionflow.cli import machine_faults, main, workspace_commands
from lesionflow.errors import ConfigError


@pytest.mark.parametrize("command", ["init", "run"])
@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("file", "is a file where a folder is needed"),
        ("file/below", "lies below a file"),
        ("n" * 300, "longer than file systems take"),
    ],
)
def test_an_impossible_workdir_is_named(tmp_path, capsys, command, place, said):
    (tmp_path / "file").write_text("mine")
    where = str(tmp_path / place)
    words = [where, "--preset", "phantom_ct"] if command == "init" else ["--workdir", where, "--params", "phantom_ct"]
    assert main([command, *words]) == 2
    found = capsys.readouterr().err
    assert said in found
    assert "Traceback" not in found
    assert len(found) < 500
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [
        (errno.ENOSPC, 6, "no space left at /some"),
        (errno.EDQUOT, 6, "quota"),
        (errno.EROFS, 6, "no permission at /some"),
        (errno.EACCES, 6, "Give this user the right"),
        (errno.EMFILE, 6, "ulimit"),
    ],
)
def test_what_the_machine_refuses_has_its_own_words(monkeypatch, capsys, number, code, said):
    def refuse(*_):
        raise OSError(number, os.strerror(number), "/some/place")

    monkeypatch.setattr(workspace_commands, "init_workspace", refuse)
    assert main(["init", "nowhere", "--preset", "phantom_ct"]) == code
    found = capsys.readouterr().err
    assert said in found
    assert "Traceback" not in found


def test_a_fault_that_is_not_known_stays_what_it_is(monkeypatch):
    assert machine_faults.explain(OSError("something else")) is None
    assert machine_faults.explain(OSError(errno.ENOENT, "no file named")) is None
    assert isinstance(machine_faults.explain(FileNotFoundError(errno.ENOENT, "", "/a")), ConfigError)

    def fail(*_):
        raise OSError("something else")

    monkeypatch.setattr(workspace_commands, "init_workspace", fail)
    with pytest.raises(OSError, match="something else"):
        main(["init", "nowhere", "--preset", "phantom_ct"])
