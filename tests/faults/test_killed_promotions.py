"""Kill -9 while a version is registered, promoted, promoted by hand, rolled back: the next call finds all right, and ends it.

A few points in `make test`; twenty of each with LESIONFLOW_TEST_WHOLE=1.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from lesionflow.io.stores.bundles import write_bundle
from lesionflow.io.stores.ledger import read_ledger
from lesionflow.registry.registered_bundles import fetch_bundle
from lesionflow.registry.succession import (
    bars,
    carry_out,
    champion_by_ledger,
    current_champion,
    promote_by_hand,
    roll_back,
    unfinished,
    verify_versions,
)
from lesionflow.registry.tracking import Tracker
from lesionflow.registry.versions import find_version, list_versions
from support import killed_changes
from support.bundles import small_bundle
from support.versions import store_of_versions

NAME = killed_changes.NAME
IS_WHOLE = os.environ.get("LESIONFLOW_TEST_WHOLE") == "1"
N_POINTS = 20
SHORT = (
    ("register", "create_model_version after"),
    ("promote", "line half"),
    ("by_hand", "set_registered_model_alias before"),
    ("roll_back", "set_registered_model_alias after"),
)
OPERATIONS = tuple(operation for operation, _ in SHORT)
#: Which version is champion before and after each.
CHAMPIONS = {"register": ("2", "2"), "promote": ("2", "3"), "by_hand": ("2", "3"), "roll_back": ("3", "2")}


@pytest.fixture(scope="module")
def killer():
    """Kill a change at a point; return what ended it and the points it passed."""
    program = [sys.executable, killed_changes.__file__]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:

        def kill(operation, folder, point):
            process.stdin.write(json.dumps([operation, str(folder), point]) + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        yield kill
        process.stdin.close()


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A folder an operation, as it is before: a store of three versions, champions 1 and 2 (and 3), a bundle to register."""
    folder = tmp_path_factory.mktemp("begun")
    uri = store_of_versions(folder / "two")
    ledger = folder / "two" / "data" / "ledger.jsonl"
    carry_out(NAME, "1", None, {"promote": True}, ledger, uri)
    carry_out(NAME, "2", "1", {"promote": True}, ledger, uri)
    run_id = Tracker(uri, "knees").start_run("train 9")
    (folder / "two" / "run.json").write_text(json.dumps(run_id))
    write_bundle(folder / "two" / "bundle", small_bundle(9, run_id))
    shutil.copytree(folder / "two", folder / "three")
    third = folder / "three"
    carry_out(NAME, "3", "2", {"promote": True}, third / "data" / "ledger.jsonl", f"sqlite:///{third}/mlflow.db")
    return {operation: folder / ("three" if operation == "roll_back" else "two") for operation in OPERATIONS}


def again(operation, folder, uri, ledger):
    """Give the same command again, as whoever was killed would."""
    if operation == "register":
        killed_changes.change(operation, folder)
    elif operation == "by_hand":
        promote_by_hand(NAME, "3", name="A. Smith", reason="asked for", ledger=ledger, tracking_uri=uri)
    elif operation == "promote":
        seen = current_champion(NAME, ledger, uri).version
        carry_out(NAME, "3", seen, {"promote": True}, ledger, uri)
    else:
        roll_back(NAME, ledger, uri, name="A. Smith", reason="misses small tumors")


def check_kill(killer, begun, folder: Path, operation: str, point: str) -> None:
    shutil.copytree(begun[operation], folder)
    uri, ledger = f"sqlite:///{folder}/mlflow.db", folder / "data" / "ledger.jsonl"
    before, after = CHAMPIONS[operation]
    n_before = len(read_ledger(ledger))
    status, passed = killer(operation, folder, point)
    assert status == -signal.SIGKILL, f"{operation} at {point} ended by {status}, past {len(passed)} points"

    # Nothing is half done that anybody would serve, and the champion is never ahead of the ledger.
    entries = read_ledger(ledger)
    champion = find_version(NAME, "champion", uri).version
    assert champion in {before, after}
    fetch_bundle(NAME, "champion", uri)
    decided = len(entries) > n_before
    if champion != before:
        assert decided
    # The next call carries out what was decided, and nothing that was not.
    settled = current_champion(NAME, ledger, uri).version
    assert settled == (after if decided else before)
    assert unfinished(read_ledger(ledger), NAME) is None

    again(operation, folder, uri, ledger)
    entries = read_ledger(ledger)
    assert champion_by_ledger(entries, NAME) == find_version(NAME, "champion", uri).version == after
    assert set(bars(entries, NAME)) == ({"3"} if operation == "roll_back" else set())
    versions = list_versions(NAME, uri)
    assert set(Counter(version.run_id for version in versions).values()) == {1}
    assert len(versions) == (4 if operation == "register" else 3)
    assert [finding for finding in verify_versions(NAME, None, ledger, uri) if not finding.held] == []


@pytest.mark.parametrize(("operation", "point"), SHORT)
def test_what_is_killed_is_whole_or_absent_and_the_next_call_ends_it(killer, begun, tmp_path, operation, point):
    check_kill(killer, begun, tmp_path / "killed", operation, point)


@pytest.mark.skipif(not IS_WHOLE, reason="twenty kills of each take minutes: LESIONFLOW_TEST_WHOLE=1")
@pytest.mark.parametrize("operation", OPERATIONS)
def test_so_it_is_at_each_of_twenty_points(killer, begun, tmp_path, operation):
    shutil.copytree(begun[operation], tmp_path / "unharmed")
    status, passed = killer(operation, tmp_path / "unharmed", "never")
    assert status == 0
    assert len(passed) >= N_POINTS
    points = sorted({1 + number * (len(passed) - 1) // (N_POINTS - 1) for number in range(N_POINTS)})
    assert len(points) == N_POINTS
    for point in points:
        check_kill(killer, begun, tmp_path / f"killed-{point}", operation, str(point))
