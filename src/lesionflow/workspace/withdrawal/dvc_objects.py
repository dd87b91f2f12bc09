"""A patient's bytes in DVC's cache and in remotes on disk: objects that hold them, and listings that name them."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from lesionflow.io.redaction import mentions
from lesionflow.workspace.versioning.dvc_places import DEFAULT_CACHE, OBJECTS, dvc_places

LISTING = ".dir"


class Dropped(NamedTuple):
    """Digests of objects that went, and what could not be reached."""

    digests: tuple[str, ...]
    kept: tuple[str, ...]


def drop_objects(workspace: Path, words: tuple[str, ...], names: Iterable[str]) -> Dropped:
    """Remove a patient's objects from DVC's cache and its remotes on disk.

    An object goes when it says one of the words, or when any recorded folder has it under a name that does; a listing goes when it
    has such a name. A version of the data that named the patient can't be checked out again: that is meant.

    Args:
        workspace: A workspace.
        words: Pseudonyms and identifiers.
        names: Names of the patient's files, relative to the folder that DVC has recorded.
    """
    stores, kept = _stores(workspace)
    gone: set[str] = set()
    listed = tuple(names)
    for store in stores:
        gone |= _named(store, words, frozenset(listed))
    for store in stores:
        for path in _objects(store):
            digest = _digest(path)
            if digest in gone or mentions(path, words):
                gone.add(digest)
                path.chmod(0o644)
                path.unlink()
    return Dropped(tuple(sorted(gone)), kept)


def _named(store: Path, words: tuple[str, ...], names: frozenset[str]) -> set[str]:
    """Return the digests of listings that name a patient's files, and of these files."""
    gone, others = set(), set()
    for path in _objects(store):
        if not path.name.endswith(LISTING):
            continue
        for entry in _entries(path):
            name = str(entry.get("relpath"))
            if name in names or any(word in name for word in words):
                gone |= {str(entry.get("md5")), _digest(path)}
            else:
                others.add(str(entry.get("md5")))
    # The same bytes may be another patient's: an empty mask.
    return {digest for digest in gone if digest not in others}


def _entries(path: Path) -> list[dict[str, str]]:
    try:
        return list(json.loads(path.read_text(encoding="utf-8")))
    except ValueError:
        return []


def _objects(store: Path) -> list[Path]:
    return sorted(path for path in store.glob("[0-9a-f][0-9a-f]/*") if path.is_file())


def _digest(path: Path) -> str:
    return f"{path.parent.name}{path.name}"


def _stores(workspace: Path) -> tuple[list[Path], tuple[str, ...]]:
    """Return where objects lie on this machine, and what is said of remotes that lie elsewhere.

    Raises:
        ConfigError: When DVC can't say where: objects there would stay without a word.
    """
    if not (workspace / ".dvc").exists():
        return [], ()
    cache, folders, elsewhere = dvc_places(workspace)
    kept = tuple(
        f"DVC remote {name}: not on this machine. After `lesionflow run`, `dvc gc --workspace --cloud --remote {name}` removes all "
        "objects that the present version does not need"
        for name in elsewhere
    )
    # A cache that was moved leaves the old one where it was; DVC 2 and before laid objects right below.
    roots = dict.fromkeys((workspace / DEFAULT_CACHE, cache, *folders.values()))
    return [store for root in roots for store in (root / OBJECTS, root)], kept
