"""Read studies of any layout into de-identified cases; a study that can't be read right is refused by name."""

import hashlib
import json
import logging
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lesionflow.config import IngestConfig, Settings
from lesionflow.data.case import Case
from lesionflow.data.case_table import case_row
from lesionflow.data.dataset import CASE_COLUMNS, CHANNEL_COLUMNS, Dataset
from lesionflow.data.pseudonym import pseudonym
from lesionflow.errors import ConfigError, DataQualityError, InputError
from lesionflow.io import READERS, cases, nifti, recognize
from lesionflow.io.archives import opened
from lesionflow.io.private import SOURCES, pseudonym_key, remember_sources
from lesionflow.io.rules import CASE, ReadingRules, SeriesRule, SourceStudy
from lesionflow.io.storage import sha256_file, write_text
from lesionflow.preprocessing import align_channels
from lesionflow.preprocessing.crop import body_mask
from lesionflow.steps.parallel import map_cases

#: Change this when reading gives other cases from the same bytes: every case is then read again.
READER_VERSION = 3
INDEX = "index.json"

logger = logging.getLogger(__name__)


class Task(NamedTuple):
    """One study to read: its pseudonyms, its files, and the key that says whether it was read already."""

    case_id: str
    patient_id: str
    source: SourceStudy
    key: str


class Entry(NamedTuple):
    """What is known of a case that was read, or refused: its key, its row, the hashes of its files, its refusal."""

    key: str
    row: dict[str, Any]
    files: dict[str, str]
    refusal: dict[str, str]


def run(
    config: IngestConfig, inputs: Mapping[str, Path], outputs: Mapping[str, Path], settings: Settings
) -> dict[str, float]:
    """Read what is new or changed, keep what is not, remove what is gone.

    Raises:
        InputError: `empty_folder`, `unknown_layout` or `another_layout`.
        ConfigError: When the params contradict themselves.
        DataQualityError: When more than the allowed fraction of studies is refused.
    """
    with opened(inputs["raw"]) as (raw, refused_archives):
        return _run(config, inputs["raw"], raw, refused_archives, outputs["cases"], settings)


def _run(
    config: IngestConfig,
    given: Path,
    raw: Path,
    refused_archives: list[SourceStudy],
    folder: Path,
    settings: Settings,
) -> dict[str, float]:
    dataset, rules = _dataset(config), _rules(config)
    layout, found = _find(raw, refused_archives, config)
    tasks = _tasks(found, layout, config, settings, lambda path: _as_given(path, raw, given))
    for name in ("imagesTr", "labelsTr"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    before = _read_index(folder)
    index = {t.case_id: before[t.case_id] for t in tasks if _is_kept(folder, t, before)}
    todo = [task for task in tasks if task.case_id not in index]
    logger.info("Reading %d studies; %d are read already.", len(todo), len(index))
    n_kept = len(index)
    read = partial(_read, folder, layout, rules, dataset)
    for task, result in map_cases(
        read, todo, name=lambda t: t.case_id, workers=settings.workers, what="Reading studies"
    ):
        if isinstance(result, InputError):
            logger.warning("Study %s is refused (%s): %s", task.case_id, result.reason, result)
            refusal = {"case_id": task.case_id, "reason": result.reason, "message": str(result)}
            index[task.case_id] = Entry(task.key, {}, {}, refusal)
        else:
            index[task.case_id] = result
        # The index names only whole files: what was read before a kill is kept.
        _write_index(folder, index)
    _finish(folder, dataset, index)
    _require_enough(config, index, folder, settings)
    n_refused = sum(1 for entry in index.values() if entry.refusal)
    return {
        "n_cases": float(len(index) - n_refused),
        "n_read": float(len(todo)),
        "n_kept": float(n_kept),
        "n_refused": float(n_refused),
    }


def _dataset(config: IngestConfig) -> Dataset:
    if config.reference_channel not in config.channels:
        found = ", ".join(config.channels)
        raise ConfigError(f"Expected ingest.reference_channel among {found}, found {config.reference_channel}.")
    unknown = [rule.label for rule in config.outlines if rule.label not in config.labels]
    if unknown:
        raise ConfigError(f"Expected labels of ingest.labels in ingest.outlines, found {', '.join(unknown)}.")
    _require_patterns(config)
    return Dataset(
        name=config.dataset_name,
        channels={name: config.channels[name].kind for name in _channel_order(config)},
        labels=config.labels,
        regions=config.regions,
        series_descriptions={
            n: rule.series_description for n, rule in config.channels.items() if rule.series_description
        },
    )


def _require_patterns(config: IngestConfig) -> None:
    patterns = [rule.pattern for rule in config.outlines]
    patterns += [rule.series_description for rule in config.channels.values() if rule.series_description]
    patterns += [] if config.patient_pattern == "auto" else [config.patient_pattern]
    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            message = (
                f"Expected a regular expression in ingest.outlines or ingest.channels, found {pattern!r}: {error}."
            )
            raise ConfigError(message) from error


def _channel_order(config: IngestConfig) -> list[str]:
    """Put the reference channel first: prediction takes the first channel's grid."""
    return sorted(config.channels, key=lambda name: name != config.reference_channel)


def _rules(config: IngestConfig) -> ReadingRules:
    series = {name: SeriesRule(rule.modality, rule.series_description) for name, rule in config.channels.items()}
    return ReadingRules(
        channels={name: series[name] for name in _channel_order(config)},
        reference=config.reference_channel,
        labels=config.labels,
        outlines=tuple((rule.pattern, rule.label) for rule in config.outlines),
        spacing_tolerance_fraction=config.slice_spacing_tolerance_fraction,
    )


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
    n_patients = len({_patient(source, layout, config) for source in studies})
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
    if layout != "dicom" and n_patients < len(studies):
        logger.info("Patients are told by file names; if wrongly, set ingest.patient_pattern.")
    return layout, studies + refused_archives


def _patient(source: SourceStudy, layout: str, config: IngestConfig) -> str:
    if layout == "dicom" or config.patient_pattern == "auto":
        return source.patient_key
    match = re.search(config.patient_pattern, source.key)
    return match[1] if match and match.groups() else source.patient_key


def _as_given(path: str, raw: Path, given: Path) -> str:
    """Say where a file that was unpacked lies for the team."""
    return str(given / Path(path).relative_to(raw)) if Path(path).is_relative_to(raw) else path


def _tasks(
    found: list[SourceStudy],
    layout: str,
    config: IngestConfig,
    settings: Settings,
    as_given: Callable[[str], str],
) -> list[Task]:
    secret = settings.pseudonym_key or pseudonym_key(settings.private_dir)
    params = [config.model_dump(mode="json"), layout, READER_VERSION]
    tasks: dict[str, Task] = {}
    for source in found:
        patient = _patient(source, layout, config)
        case_id, patient_id = pseudonym(secret, "c", source.key), pseudonym(secret, "p", patient)
        contents = [sha256_file(Path(file)) for file in source.files]
        # Where a file's name and not its content says what it is, changing the name changes the case.
        named = sorted(zip(contents, source.roles or [""] * len(contents), strict=False))
        key = hashlib.sha256(json.dumps([params, patient_id, named, source.fault]).encode()).hexdigest()
        tasks[case_id] = Task(case_id, patient_id, source, key)
    places = {t.case_id: str(Path(as_given(t.source.files[0])).parent) for t in tasks.values()}
    remember_sources(settings.private_dir, places)
    return [tasks[case_id] for case_id in sorted(tasks)]


def _read(folder: Path, layout: str, rules: ReadingRules, dataset: Dataset, task: Task) -> Entry:
    if task.source.fault is not None:
        reason, message = task.source.fault
        about = "" if CASE in message else f"{task.case_id}: "
        raise InputError(about + message.replace(CASE, task.case_id), reason=reason)
    study = READERS[layout].read(task.source, rules, name=task.case_id)
    channels = tuple(rules.channels)
    volume = align_channels(study.volumes, channels, rules.reference, case_id=task.case_id)
    case = Case(task.case_id, task.patient_id, channels, volume, study.mask, study.attributes)
    inside = 1.0
    if study.mask is not None and study.mask.labels.any():
        body = body_mask(volume.array, tuple(dataset.channels.values()))
        inside = float(body[study.mask.labels > 0].mean())
    paths = []
    for number in range(volume.n_channels):
        paths.append(cases.image_path(folder, task.case_id, number))
        nifti.write_volume(paths[-1], volume, number)
    if study.mask is not None:
        paths.append(cases.mask_path(folder, task.case_id))
        nifti.write_mask(paths[-1], study.mask)
    row = case_row(_as_written(case), source_format=layout, inside_body_fraction=inside)
    return Entry(task.key, row, {str(p.relative_to(folder)): sha256_file(p) for p in paths}, {})


def _as_written(case: Case) -> Case:
    """NaN can't pass: readers refuse it. What is measured is what was written, float32 in both."""
    if not np.isfinite(case.volume.array).all():
        message = f"Expected finite voxels in case {case.case_id}, found NaN or infinity. Export the study again."
        raise InputError(message, reason="non_finite_voxels")
    return case


def _is_kept(folder: Path, task: Task, before: Mapping[str, Entry]) -> bool:
    entry = before.get(task.case_id)
    if entry is None or entry.key != task.key:
        return False
    return all((folder / f).is_file() and sha256_file(folder / f) == digest for f, digest in entry.files.items())


def _read_index(folder: Path) -> dict[str, Entry]:
    try:
        content = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        return {case_id: Entry(**entry) for case_id, entry in content.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _write_index(folder: Path, index: Mapping[str, Entry]) -> None:
    content = {case_id: index[case_id]._asdict() for case_id in sorted(index)}
    write_text(folder / INDEX, json.dumps(content, indent=1, sort_keys=True) + "\n")


def _finish(folder: Path, dataset: Dataset, index: Mapping[str, Entry]) -> None:
    for left_by_a_kill in folder.glob(".partial-*"):
        left_by_a_kill.unlink()
    wanted = {file for entry in index.values() for file in entry.files}
    for name in ("imagesTr", "labelsTr"):
        for path in (folder / name).iterdir():
            if f"{name}/{path.name}" not in wanted:
                path.unlink()
    rows = [index[case_id].row for case_id in sorted(index) if index[case_id].row]
    refused = [index[case_id].refusal for case_id in sorted(index) if index[case_id].refusal]
    write_text(folder / cases.REJECTED, json.dumps(refused, indent=1) + "\n")
    if rows:
        # Rows that were kept come from JSON, sorted by key: the columns must not tell which these are.
        columns = [*CASE_COLUMNS, *(f"{column}__{name}" for name in dataset.channels for column in CHANNEL_COLUMNS)]
        cases.write_table(folder, pd.DataFrame(rows, columns=columns))
    cases.write_dataset(folder, dataset, len(rows))
    _write_index(folder, index)


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
