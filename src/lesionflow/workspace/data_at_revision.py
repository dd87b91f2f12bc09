"""Studies for a step that begins on an empty machine: a folder that it sees, or what a DVC repository recorded at a revision."""

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from configparser import ConfigParser
from contextlib import contextmanager
from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

from lesionflow.config import Settings
from lesionflow.errors import ConfigError, ServiceError
from lesionflow.io.stores.raw_manifest import compare
from lesionflow.registry.secrets import without_secrets
from lesionflow.workspace.layout import PATHS
from lesionflow.workspace.recorded_versions import git_program

RAW = PATHS["raw"]
#: What DVC tracks: the studies and the manifest of their hashes, which `ingest` holds them against.
TRACKED = (f"{RAW}.dvc", f"{RAW}.sha256.dvc")
#: What our own remote is called, where an address is given and not a name.
REMOTE = "lesionflow-data"
#: Last words of a program that say what was wrong.
N_SHOWN = 400


class TransferSettings(BaseSettings):
    """How studies travel, from the environment, as it concerns no model: `LESIONFLOW_DATA_SSH_KEY`, a file; `LESIONFLOW_DATA_CACHE`, DVC's cache.

    A cache on a volume that pods share is filled by what is new alone. S3's keys are those that its own programs read (`AWS_ACCESS_KEY_ID`, ...).
    """

    model_config = SettingsConfigDict(env_prefix="LESIONFLOW_", frozen=True, extra="ignore", env_ignore_empty=True)

    data_ssh_key: Path | None = None
    data_cache: Path | None = None


def find_revision(raw_path: str, repository: str, revision: str) -> str:
    """Name the studies by what they are, so that a cache can tell whether they are the same.

    Args:
        raw_path: A folder; empty where a repository is given.
        repository: A git repository with a workspace of ours in its root, by its address or path; empty where a folder is given.
        revision: A branch, tag or commit of it; empty for the newest of its default branch.

    Returns:
        The sha256 over names and bytes of all files of the folder; or the commit that last changed what the repository records as studies.

    Raises:
        ConfigError: When both or neither are given, or the revision is none, or records no studies.
        ServiceError: When the repository can't be reached.
    """
    _require_one(raw_path, repository, revision)
    if raw_path:
        return _digest_of(Path(raw_path))
    with tempfile.TemporaryDirectory(prefix="lesionflow-data-") as scratch:
        clone = _clone(repository, Path(scratch))
        commit = _commit_of(clone, revision)
        found = _git(clone, "log", "-1", "--format=%H", commit, "--", *TRACKED)
        if not found or not _git(clone, "ls-tree", "--name-only", found, "--", TRACKED[0]):
            raise ConfigError(
                f"Expected {TRACKED[0]} in {revision or 'the newest revision'} of the repository, found none. Record the studies with `lesionflow data add STUDIES`, "
                "commit, `git push` and `dvc push`; a folder that is only linked is not recorded."
            )
        return found


@contextmanager
def studies_at(raw_path: str, repository: str, revision: str, remote: str) -> Iterator[Path]:
    """Give the folder of the studies as long as the context is open.

    Args:
        raw_path: As `find_revision` takes it.
        repository: As `find_revision` takes it.
        revision: What `find_revision` returned.
        remote: DVC's remote: a name that the repository knows, or an address (`s3://`, `ssh://`, a path); empty for its default.

    Yields:
        The folder, its manifest beside it where one was recorded.

    Raises:
        ConfigError: As `find_revision`.
        ServiceError: When the repository or the remote can't be reached, or lacks a file.
    """
    _require_one(raw_path, repository, "")
    if raw_path:
        yield Path(raw_path)
        return
    with tempfile.TemporaryDirectory(prefix="lesionflow-data-") as scratch:
        clone = _clone(repository, Path(scratch))
        _git(clone, "checkout", "--quiet", "--detach", _commit_of(clone, revision))
        _pull(clone, remote, Path(scratch))
        yield clone / RAW


def _require_one(raw_path: str, repository: str, revision: str) -> None:
    if bool(raw_path) == bool(repository) or (raw_path and revision):
        raise ConfigError(
            "Expected the studies either in a folder (raw_path) or in a repository (data_repository, and data_revision where it is not the newest), found "
            f"{'both' if raw_path else 'neither'}."
        )


def _digest_of(folder: Path) -> str:
    if not folder.is_dir():
        raise ConfigError(f"Expected a folder of studies at {folder}, found none.")
    state = compare(folder, workers=Settings().workers, trust_times=True)
    # Names without that of the folder itself: the same studies elsewhere are the same.
    lines = [f"{name.partition('/')[2]}\0{digest}\n" for name, digest in sorted(state.hashes.items())]
    return hashlib.sha256("".join(lines).encode(errors="surrogateescape")).hexdigest()


def _clone(repository: str, scratch: Path) -> Path:
    clone = scratch / "repository"
    command = [git_program(), "clone", "--quiet", "--no-checkout", "--", repository, str(clone)]
    done = _run(command, scratch, scratch)
    if done.returncode:
        raise ServiceError(
            f"Expected to clone the data repository, found: {_said(done.stderr, repository)}. Look at its address and the key that it asks for."
        )
    return clone


def _commit_of(clone: Path, revision: str) -> str:
    names = (f"origin/{revision}", revision) if revision else ("origin/HEAD", "HEAD")
    for name in names:
        command = [
            git_program(),
            "-C",
            str(clone),
            "rev-parse",
            "--quiet",
            "--verify",
            "--end-of-options",
            f"{name}^{{commit}}",
        ]
        done = _run(command, clone, clone.parent)
        if not done.returncode:
            return done.stdout.strip()
    raise ConfigError(f"Expected a branch, tag or commit of the data repository, found {revision!r}. Push it first.")


def _git(clone: Path, *words: str) -> str:
    done = _run([git_program(), "-C", str(clone), *words], clone, clone.parent)
    if done.returncode:
        raise ServiceError(f"Expected `git {words[0]}` to do its work, found: {_said(done.stderr, '')}.")
    return done.stdout.strip()


def _pull(clone: Path, remote: str, scratch: Path) -> None:
    """Fetch what the checked-out commit records; settings go by a file of the clone's own, as other users see a command."""
    settings = TransferSettings()
    recorded = ConfigParser(interpolation=None)
    recorded.read(clone / ".dvc" / "config")
    own = ConfigParser(interpolation=None)
    own["cache"] = {"dir": str(settings.data_cache or scratch / "cache"), "type": "hardlink,symlink,copy"}
    name, address = remote or recorded.get("core", "remote", fallback=""), ""
    if "://" in remote or remote.startswith(("/", ".")):
        name, address = REMOTE, remote if "://" in remote else str(Path(remote).resolve())
    section = f"'remote \"{name}\"'"
    address = address or recorded.get(section, "url", fallback="")
    own[section] = {"url": address} if name == REMOTE else {}
    if settings.data_ssh_key is not None and address.startswith("ssh://"):
        own[section]["keyfile"] = str(settings.data_ssh_key.resolve())
    with (clone / ".dvc" / "config.local").open("w", encoding="utf-8") as file:
        own.write(file)
    tracked = [path for path in TRACKED if (clone / path).exists()]
    command = [sys.executable, "-m", "dvc", "pull", "--quiet", *(("--remote", name) if name else ()), *tracked]
    done = _run(command, clone, scratch)
    if done.returncode:
        raise ServiceError(
            f"Expected the studies in DVC's remote, found that `dvc pull` failed: {_said(done.stderr, address)}. Look at the remote's address, its keys in the "
            "environment (AWS_ACCESS_KEY_ID, ..., LESIONFLOW_DATA_SSH_KEY), and whether `dvc push` brought the studies there."
        )


def _run(command: Sequence[str], folder: Path, scratch: Path) -> subprocess.CompletedProcess[str]:
    # A pod has no terminal to ask for a password, and often no home to write to.
    own = {"GIT_TERMINAL_PROMPT": "0", "DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(scratch / "site")}
    own |= {"GIT_SSH_COMMAND": _ssh_command()} if "GIT_SSH_COMMAND" not in os.environ else {}
    return subprocess.run(command, cwd=folder, env=os.environ | own, capture_output=True, text=True, check=False)  # noqa: S603 - our own command, no shell


def _ssh_command() -> str:
    key = TransferSettings().data_ssh_key
    return "ssh -oBatchMode=yes" + (f" -oIdentitiesOnly=yes -i '{key.resolve()}'" if key else "")


def _said(text: str, address: str) -> str:
    return without_secrets(" ".join(text.split()), address)[-N_SHOWN:]
