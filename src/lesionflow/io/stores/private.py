"""What must never leave the team: the pseudonym key, and which case came from where."""

import json
import os
import secrets
import threading
from collections.abc import Mapping
from pathlib import Path

from lesionflow.io.files import write_text
from lesionflow.machine.faults import blame_machine

KEY = "pseudonym.key"
SOURCES = "sources.json"
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
    path = folder / SOURCES
    write_text(path, json.dumps({**known_sources(folder), **sources}, indent=1, sort_keys=True) + "\n")
    path.chmod(PRIVATE_MODE)


def known_sources(folder: Path) -> dict[str, str]:
    """Return where cases came from, as far as this machine knows."""
    try:
        return dict(json.loads((folder / SOURCES).read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError) as error:
        # A list that can't be read now must not be written over.
        blame_machine(error)
        return {}
