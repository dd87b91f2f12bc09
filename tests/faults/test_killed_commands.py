"""Kill -9 of the real processes of `models promote` and `models rollback`, as a terminal starts them; the same command given again ends it.

One point of one command in `make test`; twenty of each, spread over its life, with LESIONFLOW_TEST_WHOLE=1. Points within the change itself,
in forks of one process, are held by `test_killed_promotions.py`.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from lesionflow.io.stores.ledger import read_ledger
from lesionflow.registry.registered_bundles import fetch_bundle
from lesionflow.registry.succession import bars, carry_out, champion_by_ledger, verify_versions
from lesionflow.registry.versions import find_version, list_versions
from lesionflow.workspace.layout import dvc_yaml
from support.versions import store_of_versions

NAME = "lesionflow-knees"
IS_WHOLE = os.environ.get("LESIONFLOW_TEST_WHOLE") == "1"
N_POINTS = 20
LONGEST_S = 600.0
COMMANDS = {
    "promote": ("promote", "3", "--name", "A. Smith", "--reason", "asked for"),
    "rollback": ("rollback", "--name", "A. Smith", "--reason", "misses small tumors"),
}
#: Champion before and after, and who is barred then.
OUTCOMES = {"promote": ("2", "3", set()), "rollback": ("2", "1", {"2"})}


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A workspace with a store of three versions; champions were 1 and 2."""
    folder = tmp_path_factory.mktemp("begun") / "work"
    uri, ledger = store_of_versions(folder), folder / "data" / "ledger.jsonl"
    (folder / "dvc.yaml").write_text(dvc_yaml())
    carry_out(NAME, "1", None, {"promote": True}, ledger, uri)
    carry_out(NAME, "2", "1", {"promote": True}, ledger, uri)
    return folder


def start(work, command):
    words = [sys.executable, "-m", "lesionflow", "models", *COMMANDS[command], "--workdir", str(work)]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "LESIONFLOW_"))}
    with (work.parent / "said.txt").open("ab") as output:
        return subprocess.Popen(words, env=environment, stdout=output, stderr=output, start_new_session=True)


def kill_when(process, reached):
    """Kill a process, and all that it started, once something is reached; tell whether it still ran."""
    began = time.monotonic()
    while process.poll() is None and not reached() and time.monotonic() - began < LONGEST_S:
        time.sleep(0.005)
    ran = process.poll() is None
    if ran:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return ran


def check(work: Path, command: str) -> None:
    """What stands after a kill is served whole; the same command ends it, and everything verifies."""
    uri, ledger = f"sqlite:///{work}/mlflow.db", work / "data" / "ledger.jsonl"
    before, after, barred = OUTCOMES[command]
    champion = find_version(NAME, "champion", uri).version
    assert champion in {before, after}
    fetch_bundle(NAME, "champion", uri)
    if champion == after:
        assert len(read_ledger(ledger)) > 4, "the alias is never ahead of the ledger"
    assert start(work, command).wait(LONGEST_S) == 0, (work.parent / "said.txt").read_text()[-2000:]
    entries = read_ledger(ledger)
    assert champion_by_ledger(entries, NAME) == find_version(NAME, "champion", uri).version == after
    assert set(bars(entries, NAME)) == barred
    assert set(Counter(version.run_id for version in list_versions(NAME, uri)).values()) == {1}
    assert [finding for finding in verify_versions(NAME, None, ledger, uri) if not finding.held] == []


def workspace_at(begun: Path, folder: Path) -> Path:
    return Path(shutil.copytree(begun, folder / "work"))


def test_a_promotion_that_was_killed_when_its_decision_was_written_is_ended_by_the_same_command(begun, tmp_path):
    work = workspace_at(begun, tmp_path)
    ledger = work / "data" / "ledger.jsonl"
    size = ledger.stat().st_size
    assert kill_when(start(work, "promote"), lambda: ledger.stat().st_size > size)
    check(work, "promote")


@pytest.mark.skipif(not IS_WHOLE, reason="forty kills of real processes take minutes: LESIONFLOW_TEST_WHOLE=1")
@pytest.mark.parametrize("command", COMMANDS)
def test_so_it_is_at_each_of_twenty_times_of_a_commands_life(begun, tmp_path, command):
    (tmp_path / "unharmed").mkdir()
    began = time.monotonic()
    assert start(workspace_at(begun, tmp_path / "unharmed"), command).wait(LONGEST_S) == 0
    life_s = time.monotonic() - began
    n_killed = 0
    for point in range(N_POINTS):
        folder = tmp_path / f"killed-{point}"
        folder.mkdir()
        work, until = workspace_at(begun, folder), time.monotonic() + life_s * (point + 0.5) / N_POINTS
        n_killed += kill_when(start(work, command), lambda until=until: time.monotonic() >= until)
        check(work, command)
    assert n_killed
