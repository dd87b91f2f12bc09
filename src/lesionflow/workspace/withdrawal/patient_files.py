"""A patient's files in a workspace: studies, cases, arrays, split, reports, bundles, and the team's private lists."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from lesionflow.data.dataset import Dataset
from lesionflow.io.redaction import mentions, redact
from lesionflow.io.stores import cases, ledger, raw_manifest
from lesionflow.io.stores.case_index import read_case_index
from lesionflow.io.stores.tombstones import JOURNAL
from lesionflow.workspace.layout import PATHS
from lesionflow.workspace.withdrawal.subject import Subject

#: Made anew by the next run as wholes: what they show of several patients can't be taken apart.
MADE_ANEW = ("validation", "evaluation", "bundle")
#: What is removed by other means, or says nothing of patients.
PASSED_OVER = (".git", ".dvc", "mlartifacts", ".venv")


def remove_studies(workspace: Path, subject: Subject, workers: int) -> tuple[int, tuple[str, ...]]:
    """Remove a patient's studies and record the folder as it is then; return how many files went, and what was left."""
    raw = workspace / PATHS["raw"]
    if raw.is_symlink():
        n_there = sum(Path(file).exists() for file in subject.files)
        told = (
            f"{n_there} files of studies in the folder that data/raw points to: it is not the workspace's; remove them there",
        )
        return 0, told if n_there else ()
    n_files = 0
    for file in subject.files:
        n_files += Path(file).exists()
        Path(file).unlink(missing_ok=True)
    for folder in sorted((p for p in raw.rglob("*") if p.is_dir()), key=lambda p: -len(p.parts)):
        if not any(folder.iterdir()):
            folder.rmdir()
    if raw.exists() and raw_manifest.manifest_path(raw).exists():
        raw_manifest.record(raw, workers=workers)
    shared = tuple(
        f"a file of data/raw that holds studies of others too ({len(subject.shared)} such): take it apart by hand"
        for _ in subject.shared[:1]
    )
    return n_files, shared


def remove_derived(workspace: Path, subject: Subject) -> int:
    """Remove what was made of a patient's studies; return how many files were removed or rewritten."""
    n_files = 0
    for name in MADE_ANEW:
        n_files += _remove_folders(workspace / PATHS[name], subject.words)
    for path in _walk(workspace):
        if path.name.startswith("mlflow.db") or path in _never(workspace):
            continue
        n_files += redact(path, subject.words)
    _count_again(workspace / PATHS["cases"])
    return n_files


def remove_private(private_dir: Path, subject: Subject) -> int:
    """Take a patient out of the team's lists; the key and the tombstones stay."""
    lists = [path for path in private_dir.glob("*.json") if path.name != JOURNAL]
    return sum(redact(path, subject.words) for path in lists)


def still_named(workspace: Path, subject: Subject) -> tuple[str, ...]:
    """Return files of the workspace that say the patient's pseudonyms all the same, relative to it."""
    return tuple(str(path.relative_to(workspace)) for path in _walk(workspace) if mentions(path, subject.words))


def _never(workspace: Path) -> tuple[Path, ...]:
    """What is only ever added to."""
    path = ledger.ledger_path(workspace / PATHS["splits"])
    return (path, path.with_name(ledger.READS))


def _remove_folders(folder: Path, words: tuple[str, ...]) -> int:
    n_files = 0
    for made in (folder, *folder.parent.glob(f"{folder.name}.*")):
        files = [path for path in made.rglob("*") if path.is_file()] if made.is_dir() else []
        if any(mentions(path, words) for path in files):
            shutil.rmtree(made)
            n_files += len(files)
    return n_files


def _walk(workspace: Path) -> Iterable[Path]:
    raw = workspace / PATHS["raw"]
    for path in sorted(workspace.rglob("*")):
        inside = path.relative_to(workspace)
        if (
            path.is_file()
            and not path.is_symlink()
            and inside.parts[0] not in PASSED_OVER
            and not path.is_relative_to(raw)
        ):
            yield path


def _count_again(folder: Path) -> None:
    """Let the cases' declaration say how many there are."""
    if not (folder / cases.DATASET).exists():
        return
    dataset: Dataset = cases.read_dataset(folder)
    index = read_case_index(folder)
    n_cases = sum(bool(entry.row) for entry in index.values())
    ignored = any(code == "ignored_voxels" for entry in index.values() for code, _ in entry.notes)
    cases.write_dataset(folder, dataset, n_cases, some_ignored=ignored)
