"""What must never leave the team: the pseudonym key, and which case came from where."""

import json
import os
import secrets
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lesionflow.io.files import write_text
from lesionflow.machine.faults import blame_machine

KEY = "pseudonym.key"
SOURCES_FILE = "sources.json"
TAKEN = "taken.json"
SAID = "said.json"
#: Readable and writable by its owner alone.
PRIVATE_MODE = 0o600


def pseudonym_key(folder: Path) -> str:
    """Return the team's key; the first call makes it.

    Args:
        folder: The private folder, never inside a repository.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / KEY
    if not path.exists():
        fresh = folder / f".{KEY}-{os.getpid()}-{threading.get_ident()}"
        fresh.touch(PRIVATE_MODE)
        fresh.write_text(secrets.token_hex(32), encoding="utf-8")
        try:
            # Unlike a move, a link fails when another process was faster.
            os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_text(encoding="utf-8").strip()


def remember_sources(folder: Path, sources: Mapping[str, str]) -> None:
    """Add where cases came from to the private list, so that the team finds a study by its pseudonym."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    _write(folder / SOURCES_FILE, {**known_sources(folder), **sources})


def remember_taken(folder: Path, taken: Mapping[str, Mapping[str, Sequence[str]]]) -> None:
    """Add what was taken as each channel and label, by case: names of files, series and structures, which may name somebody."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    _write(folder / TAKEN, {**known_taken(folder), **taken})


def known_taken(folder: Path) -> dict[str, dict[str, list[str]]]:
    """Return what was taken as what, by case, as far as this machine knows."""
    return _read(folder / TAKEN)


def remember_said(folder: Path, said: Mapping[str, Sequence[tuple[str, str]]]) -> None:
    """Add (code, message) of what was said of each case: messages may name structures as somebody called them."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    _write(folder / SAID, {**known_said(folder), **said})


def known_said(folder: Path) -> dict[str, list[list[str]]]:
    """Return what was said of each case, as far as this machine knows."""
    return _read(folder / SAID)


def known_sources(folder: Path) -> dict[str, str]:
    """Return where cases came from, as far as this machine knows."""
    return _read(folder / SOURCES_FILE)


def _write(path: Path, content: Mapping[str, object]) -> None:
    write_text(path, json.dumps(content, indent=1, sort_keys=True) + "\n")
    path.chmod(PRIVATE_MODE)


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError) as error:
        # A list that can't be read now must not be written over.
        blame_machine(error)
        return {}
