"""Who was withdrawn, by keyed hash: nobody without the team's key can tell whom a tombstone means, and whose studies come back is told."""

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

from lesionflow.io.files import read_json, write_text

NAME = "withdrawn.json"
#: What is being withdrawn, until it is done: in the private folder, as it names the patient.
JOURNAL = "withdrawing.json"


def tombstone(key: str, patient_id: str) -> str:
    """Return a patient's tombstone (HMAC-SHA256, RFC 2104).

    Args:
        key: The team's secret.
        patient_id: The pseudonym.
    """
    return hmac.new(key.encode(), f"withdrawn\0{patient_id}".encode(), hashlib.sha256).hexdigest()


def read_tombstones(*folders: Path) -> frozenset[str]:
    """Return all tombstones that lie in some folders: that of the cases, which travels with them, and the private one."""
    return frozenset(
        mark for folder in folders if (folder / NAME).exists() for mark in read_json(folder / NAME)["withdrawn"]
    )


def set_tombstone(folder: Path, mark: str, *, withdrawn: bool) -> None:
    """Add a tombstone to a folder, or take it away."""
    folder.mkdir(parents=True, exist_ok=True)
    marks = (read_tombstones(folder) | {mark}) if withdrawn else (read_tombstones(folder) - {mark})
    write_text(folder / NAME, json.dumps({"withdrawn": sorted(marks)}, indent=1) + "\n")


def read_journal(private_dir: Path) -> list[dict[str, Any]]:
    """Return what is being withdrawn and was not finished."""
    path = private_dir / JOURNAL
    return list(read_json(path)["pending"]) if path.exists() else []


def write_journal(private_dir: Path, pending: list[dict[str, Any]]) -> None:
    """Write what is being withdrawn; nothing pending leaves no file."""
    path = private_dir / JOURNAL
    if not pending:
        path.unlink(missing_ok=True)
        return
    private_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_text(path, json.dumps({"pending": pending}, indent=1) + "\n")
    path.chmod(0o600)
