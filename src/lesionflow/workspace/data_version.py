"""From a model's data revision to the version of the data that git and DVC know."""

import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import yaml

from lesionflow.io.stores import preprocessed
from lesionflow.io.stores.tombstones import read_tombstones
from lesionflow.prediction.tracing import State, TraceFinding
from lesionflow.workspace.layout import PATHS
from lesionflow.workspace.recorded_versions import LOCK, cached_file, git_program

#: Commits that are looked through, newest first.
MAX_COMMITS = 500
WHAT = "data"


class _Recorded(NamedTuple):
    """What one `dvc.lock` says: DVC's digests by path; the commit and its day, empty for the file as it is now."""

    commit: str
    day: str
    digests: dict[str, str]


def find_data_version(workspace: Path, case_ids: Iterable[str], revision: str) -> TraceFinding:
    """Find the recorded version of the data that a model was trained on.

    Args:
        workspace: A workspace.
        case_ids: What the model learned from and was validated on.
        revision: Its data revision.

    Returns:
        `HELD` with commit and DVC's digests where one recorded version gives that revision; `BROKEN` where all that are
        recorded give others; `UNCHECKED` where there is nothing to compare with.
    """
    cases = tuple(case_ids)
    n_looked, n_absent, seen = 0, 0, set()
    for recorded in _recorded(workspace):
        digest = recorded.digests.get(PATHS["preprocessed"], "")
        if not digest or digest in seen:
            continue
        seen.add(digest)
        index = cached_file(workspace, digest, preprocessed.INDEX)
        if index is None:
            n_absent += 1
            continue
        n_looked += 1
        if _revision(index, cases) == revision:
            return TraceFinding(WHAT, State.HELD, _found(recorded))
    n_withdrawn = len(read_tombstones(workspace / PATHS["cases"]))
    if n_absent and n_withdrawn:
        detail = (
            f"{n_absent} recorded versions are not in DVC's cache, and none of the {n_looked} that are is revision {revision:.12}: "
            f"{n_withdrawn} {'patient was' if n_withdrawn == 1 else 'patients were'} withdrawn here, and a withdrawal removes the objects that held "
            "data of the patient from cache and remotes for good. Nothing brings them back; what names the revision is the model's card"
        )
        return TraceFinding(WHAT, State.UNCHECKED, detail)
    if n_absent:
        detail = (
            f"{n_absent} recorded versions are not in DVC's cache, and none of the {n_looked} that are is revision {revision:.12}: "
            "fetch them with `dvc fetch --all-commits`"
        )
        return TraceFinding(WHAT, State.UNCHECKED, detail)
    if n_looked:
        detail = (
            f"none of the {n_looked} versions that git and DVC know here is revision {revision:.12}: it was withdrawn or never "
            "recorded, or this is not the workspace that the model was trained in"
        )
        return TraceFinding(WHAT, State.BROKEN, detail)
    return TraceFinding(
        WHAT, State.UNCHECKED, f"no version of the data is recorded in {LOCK} here: name the workspace with --workdir"
    )


def _revision(index: Path, cases: tuple[str, ...]) -> str:
    entries = preprocessed.read_index(index.parent, index.name)
    return preprocessed.revision_of(cases, entries) if set(cases) <= set(entries) else ""


def _found(recorded: _Recorded) -> str:
    told = ", ".join(f"{path} {digest}" for path, digest in recorded.digests.items())
    if not recorded.commit:
        return f"{LOCK} as it is now, not committed to git yet (`git commit {LOCK}` keeps it): {told}"
    back = f"`git checkout {recorded.commit:.12} {LOCK} && dvc checkout` brings it back"
    return f"git commit {recorded.commit:.12} of {recorded.day}: {told}; {back}"


def _recorded(workspace: Path) -> Iterator[_Recorded]:
    for commit, day in _commits(workspace):
        yield _Recorded(commit, day, _digests(_git(workspace, "show", f"{commit}:./{LOCK}")))
    if (workspace / LOCK).is_file():
        yield _Recorded("", "", _digests((workspace / LOCK).read_text(encoding="utf-8")))


def _commits(workspace: Path) -> list[tuple[str, str]]:
    if not (workspace / ".git").exists():
        return []
    listed = _git(workspace, "log", "--all", f"--max-count={MAX_COMMITS}", "--format=%H %cs", "--", LOCK)
    return [(commit, day) for commit, day in (line.split(" ", 1) for line in listed.splitlines())]


def _git(workspace: Path, *words: str) -> str:
    command = [git_program(), "-C", str(workspace), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603 - our own command, no shell


def _digests(text: str) -> dict[str, str]:
    try:
        stages = (yaml.safe_load(text) or {}).get("stages") or {}
        outs = [out for name in ("ingest", "preprocess") for out in (stages.get(name) or {}).get("outs") or ()]
        return {str(out["path"]): str(out["md5"]) for out in outs}
    except (yaml.YAMLError, AttributeError, KeyError, TypeError):
        return {}
