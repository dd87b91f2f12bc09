"""A program that registers, promotes and rolls back, each time in a process of its own that kills itself at a named point.

What is heavy is imported once; each process is a fork of this one with a store of its own. Points are counted through everything that
writes: lines of the ledger (a half one too), commits of the store, calls of MLflow, files that are copied or moved.
"""

import json
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from sqlalchemy.orm import Session

from lesionflow.data.ledger import EntryKind
from lesionflow.io.stores import ledger as ledger_module
from lesionflow.prediction import MLFLOW_PROGRAM
from lesionflow.registry.registered_bundles import register_bundle
from lesionflow.registry.succession import carry_out, moves, promote_by_hand, roll_back
from lesionflow.registry.tracking import Tracker

NAME = "lesionflow-knees"
DECISION = {"promote": True, "verdict": "superior", "kind": EntryKind.DECISION}
WATCHED = (
    (Session, "commit"),
    (MlflowClient, "create_registered_model"),
    (MlflowClient, "create_logged_model"),
    (MlflowClient, "log_model_artifacts"),
    (MlflowClient, "finalize_logged_model"),
    (MlflowClient, "log_outputs"),
    (MlflowClient, "create_model_version"),
    (MlflowClient, "set_registered_model_alias"),
    (MlflowClient, "delete_registered_model_alias"),
    (MlflowClient, "set_tag"),
    (mlflow.pyfunc, "save_model"),
    (mlflow.artifacts, "download_artifacts"),
    (moves, "fetch_bundle"),
    (shutil, "copytree"),
    (os, "fsync"),
    (os, "replace"),
)


def arm(kill_at: str, passed: Callable[[str], None]) -> None:
    """Let this process kill itself at the n-th point, or the first of a name; each is told before it is passed."""
    count = 0

    def point(name: str) -> None:
        nonlocal count
        count += 1
        passed(name)
        if kill_at in {str(count), name}:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(owner: object, name: str) -> None:
        original = getattr(owner, name)

        def around(*args: object, **kwargs: object) -> object:
            point(f"{name} before")
            result = original(*args, **kwargs)
            point(f"{name} after")
            return result

        setattr(owner, name, around)

    write = ledger_module._write_all

    def write_in_halves(file: int, content: bytes) -> None:
        write(file, content[: len(content) // 2])
        point("line half")
        write(file, content[len(content) // 2 :])
        point("line whole")

    ledger_module._write_all = write_in_halves
    for owner, name in WATCHED:
        watch(owner, name)


def change(operation: str, folder: Path) -> None:
    """Make one change in a folder with a store and a ledger; `before.json` says which run a new bundle is of."""
    uri, ledger = f"sqlite:///{folder}/mlflow.db", folder / "data" / "ledger.jsonl"
    if operation == "register":
        run_id = json.loads((folder / "run.json").read_text())
        tracker = Tracker(uri, "knees")
        register_bundle(tracker, run_id, folder / "bundle", NAME, program=MLFLOW_PROGRAM, tags={"test_dice": "0.5"})
    elif operation == "promote":
        carry_out(NAME, "3", "2", DECISION, ledger, uri)
    elif operation == "by_hand":
        promote_by_hand(NAME, "3", name="A. Smith", reason="asked for", ledger=ledger, tracking_uri=uri)
    else:
        roll_back(NAME, ledger, uri, name="A. Smith", reason="misses small tumors")


def main() -> None:
    """Read `[operation, folder, point]` from the input, a line each; answer each with what ended it, and the points passed."""
    for line in sys.stdin:
        operation, folder, kill_at = json.loads(line)
        log = Path(folder) / "points.txt"
        child = os.fork()
        if not child:
            code = 1
            try:
                with log.open("a") as file:
                    arm(kill_at, lambda name, file=file: (file.write(f"{name}\n"), file.flush()))
                    change(operation, Path(folder))
                code = 0
            finally:
                if code:
                    traceback.print_exc()
                os._exit(code)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(json.dumps([os.waitstatus_to_exitcode(status), log.read_text().splitlines()]) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
