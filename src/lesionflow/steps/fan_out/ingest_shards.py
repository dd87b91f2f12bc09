"""The step `ingest` in parts: each reads the studies of some patients, on a machine of its own; joined they are what one would have made."""

import json
import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from lesionflow.cohort.shard import Shard
from lesionflow.config import IngestConfig, Settings
from lesionflow.errors import ArtifactError
from lesionflow.io.files import copy_file, read_json, write_text
from lesionflow.io.locks import only_writer
from lesionflow.io.notes import Note, collected
from lesionflow.io.stores import cases
from lesionflow.io.stores.case_index import Entry, harmed_files, read_case_index, write_case_index
from lesionflow.io.stores.tombstones import read_tombstones
from lesionflow.steps.ingest.declaration import dataset_of, rules_of
from lesionflow.steps.ingest.finishing import finish_cases, require_enough_studies, summary_of
from lesionflow.steps.ingest.step import READER_VERSION, read_task, read_tasks
from lesionflow.steps.ingest.studies import open_studies, secret_of

#: What a part says of itself: which it is, and what was said of all studies together.
PART = "shard.json"
logger = logging.getLogger(__name__)


def ingest_shard(
    config: IngestConfig,
    inputs: Mapping[str, Path],
    folder: Path,
    settings: Settings,
    shard: Shard,
    known: Path | None = None,
) -> dict[str, float]:
    """Read the studies of some patients.

    Args:
        config: How to read.
        inputs: `raw`: all studies.
        folder: Where files of the cases go that are read here.
        settings: The pseudonym key and workers.
        shard: Which patients. All studies of a patient are in one part.
        known: The folder of cases of an earlier run, of which the index alone is looked at: what is known and unchanged is not read, and its
            files are there when the parts are joined.

    Returns:
        `n_read`, `n_kept` and `n_refused`, of this part.

    Raises:
        ServiceError: When another ingest writes into the same folder.
        InputError: `empty_folder`, `unknown_layout` or `another_layout`.
        ConfigError: When the params contradict themselves.
        ArtifactError: When files changed since the workspace recorded them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    before = read_case_index(known) if known else {}
    dataset, rules = dataset_of(config), rules_of(config)
    gone = read_tombstones(*([known] if known else []), settings.private_dir)
    studies = open_studies(
        inputs["raw"], config, settings, reader_version=READER_VERSION, only_recorded=True, withdrawn=gone, shard=shard
    )
    with only_writer(folder, "ingest"), collected() as general, studies as (layout, tasks):
        for name in cases.FOLDERS:
            (folder / name).mkdir(exist_ok=True)
        index = {t.case_id: before[t.case_id] for t in tasks if t.case_id in before and before[t.case_id].key == t.key}
        todo = [task for task in tasks if task.case_id not in index]
        n_kept = len(index)
        logger.info("Part %d of %d: reading %d studies; %d are known.", shard.number, shard.of, len(todo), n_kept)
        read = partial(read_task, folder, layout, rules, dataset, secret_of(settings))
        for task, entry in read_tasks(read, todo, settings):
            index[task.case_id] = entry
            write_case_index(folder, index)
        said = [[note.code, note.message] for note in general]
    write_case_index(folder, index)
    write_text(folder / PART, json.dumps({"number": shard.number, "of": shard.of, "said": said}, indent=1) + "\n")
    refused = sum(1 for entry in index.values() if entry.refusal)
    return {"n_read": float(len(todo)), "n_kept": float(n_kept), "n_refused": float(refused)}


def join_ingest_shards(
    config: IngestConfig, inputs: Mapping[str, Path], outputs: Mapping[str, Path], settings: Settings
) -> dict[str, float]:
    """Make of all parts the folder of cases that one ingest of all studies would have made, byte for byte.

    Args:
        config: How they were read.
        inputs: The folder of each part, by any name.
        outputs: `cases`: empty, or what an earlier run wrote, whose files are kept where a part knew them.
        settings: The private folder is named in messages.

    Returns:
        The counts of `ingest`.

    Raises:
        ArtifactError: When a part is missing, stands twice, or a file of a case is missing or altered.
        DataQualityError: When more than the allowed fraction of all studies is refused.
        ServiceError: When another ingest writes into the same folder.
    """
    folder, dataset = outputs["cases"], dataset_of(config)
    folder.mkdir(parents=True, exist_ok=True)
    parts = _in_order(inputs)
    with only_writer(folder, "ingest"):
        for name in cases.FOLDERS:
            (folder / name).mkdir(exist_ok=True)
        index: dict[str, Entry] = {}
        n_read = sum(_take(part, folder, index) for part in parts.values())
        said = next(iter(parts))
        finish_cases(
            folder, dataset, dict(sorted(index.items())), [Note(code, words) for code, words in _said(parts[said])]
        )
    logger.info("%s", summary_of(dataset, index))
    require_enough_studies(config, index, folder, settings)
    n_refused = sum(1 for entry in index.values() if entry.refusal)
    return {
        "n_cases": float(len(index) - n_refused),
        "n_read": float(n_read),
        "n_kept": float(len(index) - n_read),
        "n_refused": float(n_refused),
    }


def _in_order(inputs: Mapping[str, Path]) -> dict[int, Path]:
    """Return the parts by number; refuse a set that is not whole."""
    facts = [(_read_part(path), path) for path in inputs.values()]
    found = {int(part["number"]): path for part, path in facts}
    wanted = {int(part["of"]) for part, _ in facts}
    if len(wanted) != 1 or len(found) != len(facts) or set(found) != set(range(*wanted)):
        told = ", ".join(sorted(f"{part['number']} of {part['of']}" for part, _ in facts)) or "none"
        raise ArtifactError(f"Expected every part of the studies once, found the parts {told}. Run ingest again.")
    return dict(sorted(found.items()))


def _read_part(folder: Path) -> dict[str, Any]:
    if not (folder / PART).is_file():
        raise ArtifactError(f"Expected {PART} in a part of the studies, found none. Run ingest again.")
    return dict(read_json(folder / PART))


def _said(folder: Path) -> list[tuple[str, str]]:
    return [(code, words) for code, words in _read_part(folder)["said"]]


def _take(part: Path, folder: Path, index: dict[str, Entry]) -> int:
    """Take a part's cases into the folder; return how many were read for it."""
    known, n_read = read_case_index(folder), 0
    for case_id, entry in read_case_index(part).items():
        if case_id in index:
            raise ArtifactError(
                f"Expected case {case_id} in one part of the studies, found it in two. Run ingest again."
            )
        n_read += known.get(case_id) != entry
        for file in entry.files:
            if (part / file).is_file():
                copy_file(part / file, folder / file)
        if harmed := harmed_files(folder, entry):
            raise ArtifactError(
                f"Expected the files of case {case_id} as their part wrote them, found {len(harmed)} missing or altered ({harmed[0]}). Run "
                "ingest again, in one part."
            )
        index[case_id] = entry
    return n_read
