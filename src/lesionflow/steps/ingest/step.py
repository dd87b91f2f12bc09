"""Read studies of any layout into de-identified cases; a study that can't be read right is refused by name."""

import json
import logging
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from lesionflow.cohort.case_table import case_row
from lesionflow.cohort.pseudonym import pseudonym
from lesionflow.config import IngestConfig, Settings
from lesionflow.data.case import Case
from lesionflow.data.dataset import CASE_COLUMNS, CHANNEL_COLUMNS, Dataset
from lesionflow.errors import DataQualityError, InputError
from lesionflow.io.files import replacing_file, sha256_file, write_text
from lesionflow.io.images import nifti
from lesionflow.io.images.pictures.colors import differing_colors
from lesionflow.io.labels import IGNORED_VOXELS, tell_ignored, tell_nearly_full
from lesionflow.io.layouts.recognition import READERS
from lesionflow.io.locks import only_writer
from lesionflow.io.notes import Note, collected, listening, note
from lesionflow.io.rules import CASE, ReadingRules
from lesionflow.io.stores import cases
from lesionflow.io.stores.case_index import Entry, harmed_files, read_case_index, write_case_index
from lesionflow.io.stores.private import SOURCES
from lesionflow.machine.study_budget import study_budget
from lesionflow.preprocessing import align_channels
from lesionflow.steps.ingest.declaration import dataset_of, rules_of
from lesionflow.steps.ingest.measurements import measure_case
from lesionflow.steps.ingest.report import known_to, read_page
from lesionflow.steps.ingest.studies import Task, open_studies, secret_of
from lesionflow.steps.ingest.telling import Telling
from lesionflow.steps.parallel import map_cases
from lesionflow.validation.thumbnails import draw_thumbnail

#: Change this when reading gives other cases from the same bytes: every case is then read again.
READER_VERSION = 8
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
    studies = open_studies(raw, config, settings, reader_version=READER_VERSION, only_recorded=True)
    with collected() as general, studies as (layout, tasks):
        for name in cases.FOLDERS:
            (folder / name).mkdir(parents=True, exist_ok=True)
        before = read_case_index(folder)
        index = {t.case_id: before[t.case_id] for t in tasks if _is_kept(folder, t, before)}
        todo = [task for task in tasks if task.case_id not in index]
        n_kept = len(index)
        logger.info("Reading %d studies; %d are read already.", len(todo), n_kept)
        read = partial(_read, folder, layout, rules, dataset, secret_of(settings))
        for task, entry in _read_all(read, todo, settings):
            index[task.case_id] = entry
            # The index names only whole files: what was read before a kill is kept.
            write_case_index(folder, index)
    _finish(folder, dataset, index, general)
    logger.info("%s", _summary(dataset, index))
    _require_enough(config, index, folder, settings)
    n_refused = sum(1 for entry in index.values() if entry.refusal)
    return {
        "n_cases": float(len(index) - n_refused),
        "n_read": float(len(todo)),
        "n_kept": float(n_kept),
        "n_refused": float(n_refused),
    }


def report(config: IngestConfig, cases_folder: Path, settings: Settings) -> str:
    """Return the page of what the last `run` made of the studies, refusals included."""
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
    studies = open_studies(raw, config, settings, reader_version=READER_VERSION, only_recorded=False)
    scratch_folder = tempfile.TemporaryDirectory(prefix="lesionflow-preview-")
    with collected() as general, studies as (layout, tasks), scratch_folder as scratch:
        index = {t.case_id: before[t.case_id] for t in tasks if t.case_id in before and before[t.case_id].key == t.key}
        todo = [task for task in tasks if task.case_id not in index]
        read = partial(_read, Path(scratch), layout, rules, dataset, secret_of(settings))
        index |= {task.case_id: entry for task, entry in _read_all(read, todo, settings)}
        if page is not None:
            known = known_to(settings.private_dir)
            said = [*general, *_said_of_all(index)]
            write_text(page, read_page(index, said, dataset, folders=(Path(scratch), cases_folder), known=known))
    rows = [index[case_id].row for case_id in sorted(index) if index[case_id].row]
    refused = [index[case_id].refusal for case_id in sorted(index) if index[case_id].refusal]
    return Preview(pd.DataFrame(rows, columns=_columns(dataset)), refused, len(todo), dataset)


def _read_all(
    read: Callable[[Task], tuple[Entry, dict[str, list[str]]]], todo: Sequence[Task], settings: Settings
) -> Iterator[tuple[Task, Entry]]:
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


def _read(
    folder: Path, layout: str, rules: ReadingRules, dataset: Dataset, secret: str, task: Task
) -> tuple[Entry, dict[str, list[str]]]:
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
    if institution := attributes.get("institution"):
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


def _finish(folder: Path, dataset: Dataset, index: Mapping[str, Entry], general: Sequence[Note]) -> None:
    for left_by_a_kill in folder.glob(".partial-*"):
        left_by_a_kill.unlink()
    wanted = {file for entry in index.values() for file in entry.files}
    for name in cases.FOLDERS:
        for path in (folder / name).iterdir():
            if f"{name}/{path.name}" not in wanted:
                path.unlink()
    rows = [index[case_id].row for case_id in sorted(index) if index[case_id].row]
    refused = [index[case_id].refusal for case_id in sorted(index) if index[case_id].refusal]
    write_text(folder / cases.REJECTED, json.dumps(refused, indent=1) + "\n")
    of_all = _said_of_all(index)
    for _, message in of_all:
        logger.warning("%s", message)
    write_text(folder / cases.NOTES, json.dumps(_notes(index, [*general, *of_all]), indent=1) + "\n")
    if rows:
        # Rows that were kept come from JSON, sorted by key: the columns must not tell which these are.
        cases.write_table(folder, pd.DataFrame(rows, columns=_columns(dataset)))
    some_ignored = any(code == IGNORED_VOXELS for entry in index.values() for code, _ in entry.notes)
    cases.write_dataset(folder, dataset, len(rows), some_ignored=some_ignored)
    write_case_index(folder, index)


def _said_of_all(index: Mapping[str, Entry]) -> list[Note]:
    """Return what only all cases together tell."""
    return differing_colors(entry.notes for entry in index.values() if entry.row)


def _notes(index: Mapping[str, Entry], general: Sequence[Note]) -> list[dict[str, str]]:
    """Return what was said: of all studies together under the case id "", then of each case."""
    said = [("", *each) for each in general]
    said += [(case_id, code, message) for case_id in sorted(index) for code, message in index[case_id].notes]
    return [dict(zip(("case_id", "code", "message"), each, strict=True)) for each in said]


def _columns(dataset: Dataset) -> list[str]:
    return [*CASE_COLUMNS, *(f"{column}__{name}" for name in dataset.channels for column in CHANNEL_COLUMNS)]


def _summary(dataset: Dataset, index: Mapping[str, Entry]) -> str:
    """Say in one line what came of the studies: cases, channels, labels, refusals by reason."""
    rows = [entry.row for entry in index.values() if entry.row]
    present = Counter(label for row in rows for label in row["labels_present"].split(","))
    labels = ", ".join(f"{name} in {present[str(value)]}" for name, value in dataset.labels.items())
    refused = Counter(entry.refusal["reason"] for entry in index.values() if entry.refusal)
    reasons = ", ".join(f"{reason} {n}" for reason, n in refused.most_common())
    return f"{len(rows)} cases with the channels {', '.join(dataset.channels)}; {labels}; {refused.total()} refused" + (
        f": {reasons}." if reasons else "."
    )


def _require_enough(config: IngestConfig, index: Mapping[str, Entry], folder: Path, settings: Settings) -> None:
    refused = [entry.refusal for entry in index.values() if entry.refusal]
    if refused and (len(refused) > config.max_rejected_fraction * len(index) or len(refused) == len(index)):
        first = "\n".join(f"  {r['case_id']} {r['reason']}: {r['message']}" for r in refused[:5])
        raise DataQualityError(
            f"Expected at most {config.max_rejected_fraction:.0%} of {len(index)} studies refused, found {len(refused)}:\n"
            f"{first}\nMend them ({settings.private_dir / SOURCES} says which folder each came from), or raise "
            "ingest.max_rejected_fraction.",
            report=str(folder / cases.REJECTED),
        )
