"""Where a project store lies: a folder, or an object store by its URL. Both create a name exclusively: that is all a compare-and-swap needs."""

import contextlib
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import fsspec

from lesionflow.errors import ConfigError, ServiceError
from lesionflow.io.files import replacing_file
from lesionflow.machine.error_words import kind_in_words, plain_words
from lesionflow.machine.faults import blame_machine

#: Object stores that can refuse to write over what is there: S3 by `If-None-Match`, Google's by a generation of 0. One that takes no
#: heed of it is found out by `require_exclusive`.
EXCLUSIVE = ("s3", "s3a", "gs", "gcs", "memory")
#: Folders, said as an address.
FOLDERS = ("file", "local")
PARTIAL = ".partial-"
EXTRAS = {"s3": "s3", "s3a": "s3"}
#: A code of S3, and how stores call what is full: Ceph, MinIO, Scality and others.
CODE = re.compile(r"\w{1,60}")
FULL = re.compile(r"quota|full|insufficientstorage|507", re.IGNORECASE)


class Place(Protocol):
    """Names with bytes under one prefix; a name has `/` between its parts."""

    def read(self, name: str) -> bytes | None:
        """Return the bytes of a name; None where there is none."""

    def size(self, name: str) -> int | None:
        """Return how many bytes a name has; None when it is not there."""

    def names(self, folder: str) -> list[str]:
        """Return the names right below a folder, the last part of each; none where there is no such folder."""

    def create(self, name: str, content: bytes) -> bool:
        """Write a name, whole or not at all, unless it is there; tell whether it was written."""

    def put(self, name: str, source: Path) -> None:
        """Write a file's bytes under a name, whole or not at all."""

    def fetch(self, name: str, target: Path) -> None:
        """Write a name's bytes into a new file; FileNotFoundError where there is none."""

    def remove(self, name: str) -> None:
        """Remove a name."""


def open_place(url: str) -> Place:
    """Open a place by what names it.

    Args:
        url: A folder's path, or an address such as `s3://bucket/prefix`. Keys come from the environment (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`, ...)
            and never stand in the address.

    Raises:
        ConfigError: When the address has a secret in it, or is of a kind that can't create a name exclusively.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return FolderPlace(Path(url))
    if "@" in rest or "?" in rest:
        raise ConfigError(
            f"Expected the project store's address without a user, password or query, found one in the {scheme}:// address. Give keys by "
            "the environment, such as AWS_ACCESS_KEY_ID."
        )
    if scheme in FOLDERS:
        return FolderPlace(Path("/" + rest.lstrip("/")))
    if scheme not in EXCLUSIVE:
        raise ConfigError(
            f"Expected the project store in a folder or under {', '.join(f'{one}://' for one in EXCLUSIVE)}, found {scheme}://, which can't refuse to "
            "write over what another run wrote. Mount it as a folder, or take one of these."
        )
    try:
        files, root = fsspec.core.url_to_fs(url, use_listings_cache=False)
    except ImportError as error:
        raise ConfigError(
            f"Expected what reads {scheme}:// to be installed, found: {plain_words(error)}. Install lesionflow[{EXTRAS.get(scheme, scheme)}]."
        ) from error
    return ObjectPlace(files, root)


class FolderPlace:
    """A folder, such as a volume that pods share: a new name is a link, which fails where one is."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, name: str) -> bytes | None:
        """See `Place`."""
        try:
            return (self._root / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            blame_machine(error, self._root)
            raise

    def size(self, name: str) -> int | None:
        """See `Place`."""
        path = self._root / name
        return path.stat().st_size if path.is_file() else None

    def names(self, folder: str) -> list[str]:
        """See `Place`."""
        where = self._root / folder
        return sorted(one.name for one in where.iterdir() if not one.name.startswith(".")) if where.is_dir() else []

    def create(self, name: str, content: bytes) -> bool:
        """See `Place`."""
        path = self._root / name
        fresh = path.with_name(f"{PARTIAL}{uuid.uuid4().hex}-{path.name}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with fresh.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            # Unlike a move, a link fails when another process was faster.
            os.link(fresh, path)
        except FileExistsError:
            return False
        except OSError as error:
            blame_machine(error, self._root)
            raise
        finally:
            fresh.unlink(missing_ok=True)
        return True

    def put(self, name: str, source: Path) -> None:
        """See `Place`."""
        with replacing_file(self._root / name) as partial:
            shutil.copyfile(source, partial)

    def fetch(self, name: str, target: Path) -> None:
        """See `Place`."""
        shutil.copyfile(self._root / name, target)

    def remove(self, name: str) -> None:
        """See `Place`."""
        (self._root / name).unlink(missing_ok=True)


class ObjectPlace:
    """An object store, by fsspec: an object is whole or absent by itself."""

    def __init__(self, files: Any, root: str) -> None:
        self._files, self._root = files, root.rstrip("/")

    def read(self, name: str) -> bytes | None:
        """See `Place`."""
        with self._reached():
            try:
                return bytes(self._files.cat_file(self._at(name)))
            except FileNotFoundError:
                return None

    def size(self, name: str) -> int | None:
        """See `Place`."""
        with self._reached():
            try:
                return int(self._files.size(self._at(name)))
            except FileNotFoundError:
                return None

    def names(self, folder: str) -> list[str]:
        """See `Place`."""
        with self._reached():
            try:
                found = self._files.ls(self._at(folder), detail=False)
            except FileNotFoundError:
                return []
        return sorted(name for name in (str(one).rstrip("/").rsplit("/", 1)[-1] for one in found) if name)

    def create(self, name: str, content: bytes) -> bool:
        """See `Place`."""
        with self._reached():
            try:
                self._files.pipe_file(self._at(name), content, mode="create")
            except FileExistsError:
                return False
            except OSError as error:
                # s3fs has no name of its own for the 412 and 409 that mean: there already, or being written right now.
                if re.search(
                    r"PreconditionFailed|ConditionalRequestConflict|pre-?conditions? ", str(error), re.IGNORECASE
                ):
                    return False
                raise
        return True

    def put(self, name: str, source: Path) -> None:
        """See `Place`."""
        with self._reached():
            self._files.put_file(str(source), self._at(name))

    def fetch(self, name: str, target: Path) -> None:
        """See `Place`."""
        with self._reached():
            if not self._files.exists(self._at(name)):
                raise FileNotFoundError(name)
            self._files.get_file(self._at(name), str(target))

    def remove(self, name: str) -> None:
        """See `Place`."""
        with self._reached(), contextlib.suppress(FileNotFoundError):
            self._files.rm_file(self._at(name))

    def _at(self, name: str) -> str:
        return f"{self._root}/{name}"

    @contextlib.contextmanager
    def _reached(self) -> Iterator[None]:
        """Say of an error of the store what it is; its words are the library's, and may tell too much."""
        try:
            yield
        except (FileNotFoundError, FileExistsError):
            raise
        except (OSError, ValueError, RuntimeError) as error:
            refused = _refusal(error)
            # What the store refused is no fault of this machine, though s3fs gives it the number of a broken disk.
            if refused is None:
                blame_machine(error)
            raise self._unanswered(refused or kind_in_words(error)) from None
        except Exception as error:
            # botocore's errors share no base with anything but Exception.
            if not type(error).__module__.startswith(("botocore", "aiobotocore", "aiohttp", "google", "gcsfs")):
                raise
            raise self._unanswered(kind_in_words(error)) from None

    def _unanswered(self, found: str) -> ServiceError:
        full = FULL.search(found) is not None
        advice = (
            "Make room there, or have the limit raised"
            if full
            else "Look at its address, its keys in the environment and whether it runs"
        )
        return ServiceError(
            f"Expected the project store {self._root} to answer, found {found}. {advice}; then give the same command again."
        )


def _refusal(error: BaseException) -> str | None:
    """Say by its own code what an S3 refused; None where it did not answer. Its message may tell too much, a code is one word."""
    response = getattr(error.__cause__, "response", None)
    code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
    return f"that it refuses: {code}" if isinstance(code, str) and CODE.fullmatch(code) else None


def require_exclusive(place: Place, name: str) -> None:
    """Refuse a store that writes over what is there though it is asked not to: two runs at once would lose one's work.

    Args:
        place: Where.
        name: One that is there.

    Raises:
        ServiceError: When it was written over.
    """
    content = place.read(name)
    if content is not None and place.create(name, content):
        raise ServiceError(
            f"Expected the project store to refuse writing over {name}, found that it did not heed If-None-Match. Take a store that does (S3, MinIO, Ceph of "
            "2024 and later), or a folder."
        )
