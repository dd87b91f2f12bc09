"""Read studies of any layout into de-identified cases; a study that can't be read right is refused by name."""

import json
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from lesionflow.cohort.case_table import case_row
from lesionflow.cohort.group_names import folded
from lesionflow.cohort.pseudonym import pseudonym
from lesionflow.config import IngestConfig, Settings
from lesionflow.data.case import Case
from lesionflow.data.dataset import Dataset
from lesionflow.errors import InputError
from lesionflow.io.files import replacing_file, sha256_file, write_text
from lesionflow.io.images import nifti
from lesionflow.io.labels import tell_ignored, tell_nearly_full
from lesionflow.io.layouts.recognition import READERS
from lesionflow.io.locks import only_writer
from lesionflow.io.notes import Note, collected, listening, note
from lesionflow.io.rules import CASE, ReadingRules
from lesionflow.io.stores import cases
from lesionflow.io.stores.case_index import Entry, harmed_files, read_case_index, write_case_index
from lesionflow.io.stores.tombstones import read_tombstones
from lesionflow.machine.study_budget import study_budget
from lesionflow.preprocessing import align_channels
from lesionflow.steps.ingest.declaration import dataset_of, rules_of
from lesionflow.steps.ingest.finishing import (
    finish_cases,
    require_enough_studies,
    said_of_all,
    summary_of,
    table_columns,
)
from lesionflow.steps.ingest.measurements import measure_case
from lesionflow.steps.ingest.studies import Task, open_studies, secret_of
from lesionflow.steps.ingest.telling import Telling
from lesionflow.steps.parallel import map_cases
from lesionflow.validation.thumbnails import draw_thumbnail

#: Change this when reading gives other cases from the same bytes: every case is then read again.
READER_VERSION = 9
#: PS3.3 C.7.1.1; whatever else stands there may be anything, so it is not kept.
SEXES = ("M", "F", "O")

logger = logging.getLogger(__name__)


class Preview(NamedTuple):
    """What `run` would make: the case table, the refusals, how many studies had to be read for that."""

    table: pd.DataFrame
    refused: list[dict[str, str]]
    n_read: int
    dataset: Dataset


def run(
    config: IngestConfig, inputs: Mapping[str, Path], outputs: Mapping[str, Path], settings: Settings
) -> dict[str, float]:
    """Read what is new or changed, keep what is not, remove what is gone.

    Raises:
        ServiceError: When another ingest writes into the same folder.
        InputError: `empty_folder`, `unknown_layout` or `another_layout`.
        ConfigError: When the params contradict themselves.
        ArtifactError: When files changed since the workspace recorded them.
        DataQualityError: When more than the allowed fraction of studies is refused.
    """
    outputs["cases"].mkdir(parents=True, exist_ok=True)
    with only_writer(outputs["cases"], "ingest"):
        return _run(config, inputs["raw"], outputs["cases"], settings)


def _run(config: IngestConfig, raw: Path, folder: Path, settings: Settings) -> dict[str, float]:
    dataset, rules = dataset_of(config), rules_of(config)
    gone = read_tombstones(folder, settings.private_dir)
    studies = open_studies(raw, config, settings, reader_version=READER_VERSION, only_recorded=True, withdrawn=gone)
    with collected() as general, studies as (layout, tasks):
        for name in cases.FOLDERS:
            (folder / name).mkdir(parents=True, exist_ok=True)
        before = read_case_index(folder)
        index = {t.case_id: before[t.case_id] for t in tasks if _is_kept(folder, t, before)}
        todo = [task for task in tasks if task.case_id not in index]
        n_kept = len(index)
        logger.info("Reading %d studies; %d are read already.", len(todo), n_kept)
        read = partial(read_task, folder, layout, rules, dataset, secret_of(settings))
        for task, entry in read_tasks(read, todo, settings):
            index[task.case_id] = entry
            # The index names only whole files: what was read before a kill is kept.
            write_case_index(folder, index)
    finish_cases(folder, dataset, index, general)
    logger.info("%s", summary_of(dataset, index))
    require_enough_studies(config, index, folder, settings)
    n_refused = sum(1 for entry in index.values() if entry.refusal)
    return {
        "n_cases": float(len(index) - n_refused),
        "n_read": float(len(todo)),
        "n_kept": float(n_kept),
        "n_refused": float(n_refused),
    }


def report(config: IngestConfig, cases_folder: Path, settings: Settings) -> str:
    """Return the page of what the last `run` made of the studies, refusals included."""
    # The page takes half a second of imports, which no ingest without one needs.
    from lesionflow.steps.ingest.report import known_to, read_page

    told = json.loads((cases_folder / cases.NOTES).read_text(encoding="utf-8"))
    general = [Note(note["code"], note["message"]) for note in told if not note["case_id"]]
    index = read_case_index(cases_folder)
    known = known_to(settings.private_dir)
    return read_page(index, general, dataset_of(config), folders=(cases_folder,), known=known)


def preview(
    config: IngestConfig, raw: Path, cases_folder: Path, settings: Settings, page: Path | None = None
) -> Preview:
    """Tell what `run` would make of the studies as they are now, and leave the cases as they are.

    Only what `run` would read is read, into a scratch folder.

    Args:
        config: How to read.
        raw: The studies.
        cases_folder: What the last `run` wrote; may be missing.
        settings: The pseudonym key and workers.
        page: Where to write what would be made, as a page to look through.

    Returns:
        The case table of now, and what is refused.
    """
    dataset, rules = dataset_of(config), rules_of(config)
    before = read_case_index(cases_folder)
    gone = read_tombstones(cases_folder, settings.private_dir)
    studies = open_studies(raw, config, settings, reader_version=READER_VERSION, only_recorded=False, withdrawn=gone)
    scratch_folder = tempfile.TemporaryDirectory(prefix="lesionflow-preview-")
    with collected() as general, studies as (layout, tasks), scratch_folder as scratch:
        index = {t.case_id: before[t.case_id] for t in tasks if t.case_id in before and before[t.case_id].key == t.key}
        todo = [task for task in tasks if task.case_id not in index]
        read = partial(read_task, Path(scratch), layout, rules, dataset, secret_of(settings))
        index |= {task.case_id: entry for task, entry in read_tasks(read, todo, settings)}
        if page is not None:
            from lesionflow.steps.ingest.report import known_to, read_page

            known = known_to(settings.private_dir)
            said = [*general, *said_of_all(index)]
            write_text(page, read_page(index, said, dataset, folders=(Path(scratch), cases_folder), known=known))
    rows = [index[case_id].row for case_id in sorted(index) if index[case_id].row]
    refused = [index[case_id].refusal for case_id in sorted(index) if index[case_id].refusal]
    return Preview(pd.DataFrame(rows, columns=table_columns(dataset)), refused, len(todo), dataset)


def read_tasks(
    read: Callable[[Task], tuple[Entry, dict[str, list[str]]]], todo: Sequence[Task], settings: Settings
) -> Iterator[tuple[Task, Entry]]:
    """Read studies in worker processes, and tell what is said of them.

    Args:
        read: `read_task`, with all but the task.
        todo: Which.
        settings: Workers and the private folder.

    Yields:
        Each task with what is known of its case: read, or refused.
    """
    telling = Telling(settings.private_dir)
    for task, result in map_cases(
        read, todo, name=lambda t: t.case_id, workers=settings.workers, what="Reading studies"
    ):
        if isinstance(result, InputError):
            telling.refused(task.case_id, result)
            refusal = {"case_id": task.case_id, "reason": result.reason, "message": str(result)}
            yield task, Entry(task.key, {}, {}, refusal)
        else:
            yield task, telling.read(task.case_id, *result)
    telling.finish()


def read_task(
    folder: Path, layout: str, rules: ReadingRules, dataset: Dataset, secret: str, task: Task
) -> tuple[Entry, dict[str, list[str]]]:
    """Read a study into its case's files.

    Args:
        folder: Of the cases.
        layout: How studies lie.
        rules: How they are read.
        dataset: What cases hold.
        secret: The team's key.
        task: The study.

    Returns:
        What is known of the case, and what was taken as what.

    Raises:
        InputError: When it can't be read right.
    """
    if task.source.fault is not None:
        reason, message = task.source.fault
        about = "" if CASE in message else f"{task.case_id}: "
        raise InputError(about + message.replace(CASE, task.case_id), reason=reason)
    with collected() as notes, listening() as taken, study_budget():
        for said in task.source.notes:
            note(said.code, said.message.replace(CASE, task.case_id))
        study = READERS[layout].read(task.source, rules, name=task.case_id)
        tell_ignored(study.mask, task.case_id)
        tell_nearly_full(study.mask, task.case_id)
    channels = tuple(rules.channels)
    volume = align_channels(study.volumes, channels, rules.reference, case_id=task.case_id)
    attributes = _harmless(study.attributes, secret)
    case = _as_written(Case(task.case_id, task.patient_id, channels, volume, study.mask, attributes))
    paths = []
    for number in range(volume.n_channels):
        paths.append(cases.image_path(folder, task.case_id, number))
        nifti.write_volume(paths[-1], volume, number)
    if study.mask is not None:
        paths.append(cases.mask_path(folder, task.case_id))
        nifti.write_mask(paths[-1], study.mask)
    paths.append(cases.thumbnail_path(folder, task.case_id))
    with replacing_file(paths[-1]) as partial_path:
        partial_path.write_bytes(draw_thumbnail(case, tuple(dataset.channels.values())))
    row = case_row(case, source_format=layout, measured=measure_case(case, dataset))
    hashes = {str(p.relative_to(folder)): sha256_file(p) for p in paths}
    return Entry(task.key, row, hashes, {}, tuple(notes)), taken


def _harmless(attributes: Mapping[str, str], secret: str) -> dict[str, str]:
    """Keep the maker, a plain sex and an age; an institution becomes a pseudonym."""
    kept = {"manufacturer": attributes.get("manufacturer", "")}
    if attributes.get("sex") in SEXES:
        kept["sex"] = attributes["sex"]
    if age := attributes.get("age_years"):
        kept["age_years"] = age
    # However it is spelled on this scanner or that: of its pseudonym no spelling can be told afterwards.
    if institution := folded(attributes.get("institution")):
        kept["site"] = pseudonym(secret, "s", institution)
    return kept


def _as_written(case: Case) -> Case:
    """NaN can't pass: readers refuse it. What is measured is what was written, float32 in both."""
    if not np.isfinite(case.volume.array).all():
        message = f"Expected finite voxels in case {case.case_id}, found NaN or infinity. Export the study again."
        raise InputError(message, reason="non_finite_voxels")
    return case


def _is_kept(folder: Path, task: Task, before: Mapping[str, Entry]) -> bool:
    entry = before.get(task.case_id)
    return entry is not None and entry.key == task.key and not harmed_files(folder, entry)
