"""The project store: files by the hash of their bytes, and numbered editions that name them, each created once and never changed.

::

    claims/<kind>                 whose store it is: written once, compared ever after
    objects/<2 digits>/<sha256>   bytes, whoever needs them
    editions/<name>/<number>.json what a step's output was: its files by hash, and the edition before

An edition is written after all of its objects, in one exclusive creation: a kill at any point leaves the last one whole, and of two runs that go on
from the same edition one gets the next number and the other is told.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from lesionflow.errors import ArtifactError, ConflictError
from lesionflow.io.files import copy_file, find_files, replacing_file, sha256_file
from lesionflow.io.project_store.places import Place, open_place, require_exclusive

T = TypeVar("T")
FORMAT = 1
DIGITS = 8
EDITION = re.compile(rf"(\d{{{DIGITS}}})\.json")
#: Files on their way at once: a store answers many.
TRANSFERS = 8
#: What a single file is called in an edition of its own.
ITSELF = ""


class Edition(NamedTuple):
    """One state of a step's output: its number, the digest of its listing, and (sha256, bytes) of its files by name."""

    name: str
    number: int
    digest: str
    files: Mapping[str, tuple[str, int]]


class ProjectStore:
    """What the steps of one project go on from.

    Args:
        url: As `open_place` takes it.
    """

    def __init__(self, url: str) -> None:
        self._place: Place = open_place(url)

    def claim(self, kind: str, value: str) -> None:
        """Make the store this project's, or make sure that it is.

        Args:
            kind: What is compared: `dataset`, `model`, `key`.
            value: It; nothing secret.

        Raises:
            ArtifactError: When the store is another project's.
            ServiceError: When the store does not keep what is there.
        """
        name = f"claims/{kind}"
        if self._place.create(name, value.encode()):
            require_exclusive(self._place, name)
            return
        found = (self._place.read(name) or b"").decode(errors="replace")
        if found != value:
            shown = "" if kind == "key" else f": {found!r}, not {value!r}"
            raise ArtifactError(
                f"Expected this project's own store, found one of another {kind}{shown}. Give each project a prefix of its own"
                + (", and each of its pods the same pseudonym key." if kind == "key" else ".")
            )

    def latest(self, name: str) -> Edition | None:
        """Return the newest edition; None where there is none yet.

        Raises:
            ArtifactError: When it is not what a run wrote.
        """
        numbers = self._numbers(name)
        return self._read(name, numbers[-1]) if numbers else None

    def editions(self, name: str) -> list[Edition]:
        """Return all editions, the oldest first.

        Raises:
            ArtifactError: When one is not what a run wrote.
        """
        return [self._read(name, number) for number in self._numbers(name)]

    def restore(self, edition: Edition, target: Path) -> None:
        """Write an edition's files where a step will go on from them; what lies there is replaced.

        Raises:
            ArtifactError: When an object is missing, or holds other bytes.
        """
        if target.is_dir():
            shutil.rmtree(target)
        if ITSELF not in edition.files:
            target.mkdir(parents=True, exist_ok=True)
        places: dict[str, list[Path]] = {}
        for file, (digest, _) in edition.files.items():
            places.setdefault(digest, []).append(target / file if file else target)
        _all(partial(self._fetch, places), places)

    def save(self, name: str, source: Path, before: Edition | None) -> Edition:
        """Keep a step's output as the edition after the one that it went on from.

        Args:
            name: Whose output.
            source: A folder, or a file.
            before: What was restored; None where nothing was.

        Returns:
            The new edition; `before` itself where nothing changed.

        Raises:
            ConflictError: When another run kept its own meanwhile.
        """
        paths = {ITSELF: source} if source.is_file() else {str(p.relative_to(source)): p for p in find_files(source)}
        files = dict(
            zip(paths, _all(lambda each: (sha256_file(paths[each]), paths[each].stat().st_size), paths), strict=True)
        )
        if before is not None and dict(before.files) == files:
            return before
        known = {digest for digest, _ in before.files.values()} if before else set()
        new = {digest: paths[file] for file, (digest, _) in files.items() if digest not in known}
        _all(lambda digest: self._put(digest, new[digest]), new)
        number = before.number + 1 if before else 1
        content = _listing(name, number, before.digest if before else "", files)
        if not self._place.create(_edition_name(name, number), content):
            raise ConflictError(
                f"Expected to keep edition {number} of {name}, found that another run kept one meanwhile. Run again: it goes on from theirs."
            )
        return Edition(name, number, hashlib.sha256(content).hexdigest(), files)

    def take_object(self, digest: str, target: Path) -> None:
        """Write the bytes that have this sha256 into a file.

        Raises:
            ArtifactError: When they are missing, or others.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing_file(target) as path:
            try:
                self._place.fetch(_object_name(digest), path)
            except FileNotFoundError:
                raise ArtifactError(
                    f"Expected object {digest:.12} in the project store, found none. Remove the editions that name it, or take it back from a copy."
                ) from None
            if sha256_file(path) != digest:
                raise ArtifactError(
                    f"Expected object {digest:.12} of the project store as it was kept, found other bytes. Take it back from a copy, or remove it and the editions that name it: the step makes it again."
                )

    def outputs(self) -> list[str]:
        """Return the names under which outputs are kept."""
        return sorted(self._place.names("editions"))

    def drop(self, name: str) -> None:
        """Remove all editions of an output; its step begins anew. What they held goes with the next `prune`."""
        for one in self._place.names(f"editions/{name}"):
            self._place.remove(f"editions/{name}/{one}")

    def prune(self) -> int:
        """Remove all editions but the newest of each name, and the objects that none of these names; return how many objects went.

        No run may be under way: what it has just put, and no edition names yet, would go too.
        """
        newest = [self.latest(name) for name in self.outputs()]
        for edition in filter(None, newest):
            for one in self._place.names(f"editions/{edition.name}"):
                if one != _edition_name(edition.name, edition.number).rsplit("/", 1)[-1]:
                    self._place.remove(f"editions/{edition.name}/{one}")
        named = {digest for edition in newest if edition for digest, _ in edition.files.values()}
        there = [one for part in self._place.names("objects") for one in self._place.names(f"objects/{part}")]
        gone = [one for one in there if one not in named]
        for digest in gone:
            self._place.remove(_object_name(digest))
        return len(gone)

    def _numbers(self, name: str) -> list[int]:
        found = self._place.names(f"editions/{name}")
        # Copies and leftovers that people and programs put beside them are none.
        return sorted(int(match[1]) for one in found if (match := EDITION.fullmatch(one)))

    def _read(self, name: str, number: int) -> Edition:
        content = self._place.read(_edition_name(name, number)) or b""
        try:
            told: Any = json.loads(content)
            files = {str(file): (str(digest), int(size)) for file, (digest, size) in told["files"].items()}
            fits = (told["format"], told["name"], told["number"]) == (FORMAT, name, number)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            fits, files = False, {}
        if not fits or any(Path(file).is_absolute() or ".." in Path(file).parts or "\0" in file for file in files):
            raise ArtifactError(
                f"Expected edition {number} of {name} in the project store as a run wrote it, found something else. Remove this one file; the edition before is whole."
            )
        return Edition(name, number, hashlib.sha256(content).hexdigest(), files)

    def _fetch(self, places: Mapping[str, Sequence[Path]], digest: str) -> None:
        """Write an object to each place that wants it, asking for it once."""
        first, *others = places[digest]
        self.take_object(digest, first)
        for other in others:
            copy_file(first, other)

    def _put(self, digest: str, path: Path) -> None:
        # One that was cut off since is no more what its name says.
        if self._place.size(_object_name(digest)) != path.stat().st_size:
            self._place.put(_object_name(digest), path)


def _all(work: Callable[[str], T], items: Iterable[str]) -> list[T]:
    """Do the same for many names side by side: most of it is waiting."""
    with ThreadPoolExecutor(TRANSFERS) as pool:
        return list(pool.map(work, items))


def _listing(name: str, number: int, parent: str, files: Mapping[str, tuple[str, int]]) -> bytes:
    content = {"format": FORMAT, "name": name, "number": number, "parent": parent, "files": dict(sorted(files.items()))}
    return json.dumps(content, indent=0).encode() + b"\n"


def _edition_name(name: str, number: int) -> str:
    return f"editions/{name}/{number:0{DIGITS}d}.json"


def _object_name(digest: str) -> str:
    return f"objects/{digest[:2]}/{digest}"
