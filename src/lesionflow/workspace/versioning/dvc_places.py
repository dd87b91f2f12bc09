"""Where DVC keeps a workspace's objects: its cache and its remotes, as DVC itself says."""

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from lesionflow.errors import ConfigError
from lesionflow.workspace.versioning.dvc_program import dvc_command, said_by_dvc

#: Below a cache or a remote, where DVC 3 lays objects.
OBJECTS = Path("files") / "md5"
DEFAULT_CACHE = Path(".dvc") / "cache"


class DvcPlaces(NamedTuple):
    """A workspace's cache; its remotes on this machine, and the addresses of the others, by name."""

    cache: Path
    folders: Mapping[str, Path]
    elsewhere: Mapping[str, str]


def dvc_places(workspace: Path) -> DvcPlaces:
    """Ask DVC where objects lie.

    Args:
        workspace: A workspace.

    Raises:
        ConfigError: When DVC can't say where, or is not installed.
    """
    cache, folders, elsewhere = workspace / DEFAULT_CACHE, {}, {}
    for key, place in _settings(workspace):
        name = key.removeprefix("remote.").removesuffix(".url")
        if key == "cache.dir":
            # DVC names all places by their absolute paths.
            cache = workspace / place
        elif key == f"remote.{name}.url" and "://" in place:
            elsewhere[name] = place
        elif key == f"remote.{name}.url":
            folders[name] = workspace / place
    return DvcPlaces(cache, folders, elsewhere)


def _settings(workspace: Path) -> Iterator[tuple[str, str]]:
    """Yield DVC's settings of all levels, the strongest last. Not `dvc remote list`: it breaks lines at the terminal's width."""
    if not (workspace / ".dvc").exists():
        return
    done = subprocess.run(  # noqa: S603 - our own command, no shell
        dvc_command("config", "--list"), cwd=workspace, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ConfigError(f"Expected `dvc config --list` to say where objects lie, found: {said_by_dvc(done.stderr)}")
    for line in done.stdout.splitlines():
        key, _, place = line.partition("=")
        yield key, place
