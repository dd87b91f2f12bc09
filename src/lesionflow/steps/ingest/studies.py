"""The studies that a folder holds, each with its pseudonyms and the key that says whether it was read already."""

import hashlib
import json
import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from lesionflow.cohort.pseudonym import pseudonym
from lesionflow.cohort.shard import WHOLE_WORK, Shard
from lesionflow.config import IngestConfig, Settings
from lesionflow.errors import ArtifactError, InputError
from lesionflow.io.archives import opened
from lesionflow.io.files import find_files, sha256_file
from lesionflow.io.layouts.recognition import READERS, recognize
from lesionflow.io.rules import CASE, SourceStudy
from lesionflow.io.stores.private import pseudonym_key, remember_sources
from lesionflow.io.stores.raw_manifest import changed_files, hash_files
from lesionflow.io.stores.tombstones import tombstone
from lesionflow.steps.ingest.patients import with_patients

TWICE = (
    "study_twice",
    f"Expected {CASE} once, found it twice: as it was exported and de-identified, or in two places. Remove one of them.",
)
WITHDRAWN = (
    "withdrawn_patient",
    (
        f"Expected studies of patients who take part, found {CASE} of one who was withdrawn. Remove its files, or take the withdrawal back "
        "with `lesionflow data withdraw PATIENT --readmit`."
    ),
)

logger = logging.getLogger(__name__)


class Task(NamedTuple):
    """One study to read: its pseudonyms, its files and their hashes, and the key that says whether it was read already."""

    case_id: str
    patient_id: str
    source: SourceStudy
    hashes: tuple[str, ...]
    key: str


@contextmanager
def open_studies(
    given: Path,
    config: IngestConfig,
    settings: Settings,
    *,
    reader_version: int,
    only_recorded: bool,
    withdrawn: Collection[str] = (),
    shard: Shard = WHOLE_WORK,
) -> Iterator[tuple[str, list[Task]]]:
    """Find the studies of a folder; archives are unpacked as long as the context is open.

    Args:
        given: What the user has.
        config: How to read.
        settings: The pseudonym key.
        reader_version: Part of every key.
        only_recorded: Refuse files that are not those which the folder's manifest names.
        withdrawn: Tombstones of patients whose studies are refused.
        shard: The part of all patients whose studies are meant: files of others are found, and neither hashed nor read.

    Yields:
        The layout, and a task for each study, sorted by case id.

    Raises:
        InputError: `empty_folder`, `unknown_layout` or `another_layout`.
        ArtifactError: When files changed since they were recorded.
    """
    with opened(given) as (raw, refused_archives):
        layout, found = _find(raw, refused_archives, config)
        tasks = _tasks(found, layout, config, settings, reader_version, shard)
        tasks = [_refuse_withdrawn(task, secret_of(settings), withdrawn) for task in tasks]
        if only_recorded:
            _require_recorded(raw, given, tasks)
        # A DICOM study is a folder; of other layouts many lie in one, and the file alone says which is meant.
        at = {t.case_id: Path(_as_given(t.source.files[0], raw, given)) for t in tasks}
        in_folders = layout == "dicom"
        places = {c: str(p.parent if in_folders and p.suffix.lower() != ".zip" else p) for c, p in at.items()}
        remember_sources(settings.private_dir, places)
        yield layout, tasks


def secret_of(settings: Settings) -> str:
    """Return the team's pseudonym key."""
    return settings.pseudonym_key or pseudonym_key(settings.private_dir)


def _find(raw: Path, refused_archives: list[SourceStudy], config: IngestConfig) -> tuple[str, list[SourceStudy]]:
    """Recognize the layout, say it, and find the studies."""
    try:
        layout, root, endings = recognize(raw, config.layout)
    except InputError:
        if not refused_archives:
            raise
        return "zip", refused_archives
    studies = list(READERS[layout].find(root))
    if not studies:
        message = f"Expected studies in {raw.name} of layout `{layout}`, found none. Add studies."
        raise InputError(message, reason="empty_folder")
    studies = with_patients(studies, layout, config.patient_pattern)
    n_patients = len({source.patient_key for source in studies})
    n_read = len({file for source in studies for file in source.files})
    logger.info(
        "The %d files have the layout `%s`%s: %d studies of %d patients in %d files.",
        sum(endings.values()),
        layout,
        "" if config.layout == "auto" else " (forced)",
        len(studies),
        n_patients,
        n_read,
    )
    return layout, studies + refused_archives


def _as_given(path: str, raw: Path, given: Path) -> str:
    """Say where a file that was unpacked lies for the team."""
    return str(given / Path(path).relative_to(raw)) if Path(path).is_relative_to(raw) else path


def _tasks(
    found: list[SourceStudy],
    layout: str,
    config: IngestConfig,
    settings: Settings,
    reader_version: int,
    shard: Shard,
) -> list[Task]:
    secret = secret_of(settings)
    # How many may be refused decides nothing about a case.
    params = [config.model_dump(mode="json", exclude={"max_rejected_fraction"}), layout, reader_version]
    named: dict[str, tuple[str, SourceStudy]] = {}
    for source in found:
        case_id, patient_id = source.pseudonyms or (
            pseudonym(secret, "c", source.key),
            pseudonym(secret, "p", source.patient_key),
        )
        named[case_id] = (patient_id, _twice(named[case_id][1], source) if case_id in named else source)
    named = {case_id: (patient, source) for case_id, (patient, source) in named.items() if shard.holds(patient)}
    hashes = hash_files({file: Path(file) for _, source in named.values() for file in source.files}, settings.workers)
    tasks = []
    for case_id, (patient_id, source) in sorted(named.items()):
        contents = tuple(hashes[file] for file in source.files)
        # Where a file's name and not its content says what it is, changing the name changes the case.
        said = sorted(zip(contents, source.roles or [""] * len(contents), strict=False))
        key = hashlib.sha256(json.dumps([params, patient_id, said, source.fault]).encode()).hexdigest()
        tasks.append(Task(case_id, patient_id, source, contents, key))
    return tasks


def _refuse_withdrawn(task: Task, secret: str, withdrawn: Collection[str]) -> Task:
    """Refuse a study of a patient who has a tombstone, whatever it was read as before."""
    if not withdrawn or tombstone(secret, task.patient_id) not in withdrawn:
        return task
    return task._replace(source=replace(task.source, fault=WITHDRAWN), key=f"withdrawn {task.key}")


def _twice(one: SourceStudy, other: SourceStudy) -> SourceStudy:
    """Refuse a study that was found in two places: which is meant can't be known."""
    return replace(other, fault=TWICE, files=(*one.files, *other.files), roles=())


def _require_recorded(raw: Path, given: Path, tasks: Sequence[Task]) -> None:
    """Refuse files that are not those which the workspace's manifest names: what trains must be what was recorded."""
    given_as = {file: _as_given(file, raw, given) for task in tasks for file in task.source.files}
    hashes = {given_as[f]: digest for task in tasks for f, digest in zip(task.source.files, task.hashes, strict=True)}
    if raw != given and given.is_dir():
        hashes |= {str(path): sha256_file(path) for path in find_files(given) if path.suffix.lower() == ".zip"}
    changed = changed_files(given, hashes)
    cases = [task.case_id for task in tasks if changed.intersection(given_as[file] for file in task.source.files)]
    if changed:
        raise ArtifactError(
            f"Expected the studies as they were recorded, found {len(changed)} files with other bytes, in {len(cases)} "
            f"studies: {', '.join(cases[:5])}. `lesionflow data verify` names the files; remove them and "
            "`dvc checkout data/raw.dvc`, or record them as they are with `lesionflow data add`."
        )
