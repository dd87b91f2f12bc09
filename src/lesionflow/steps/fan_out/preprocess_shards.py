"""The step `preprocess` in parts: each makes the arrays of some cases, on a machine of its own; joined they are what one would have made."""

import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from lesionflow.cohort.shard import Shard
from lesionflow.config import PreprocessConfig, Settings
from lesionflow.errors import ArtifactError, InputError
from lesionflow.io.files import copy_file
from lesionflow.io.stores import preprocessed
from lesionflow.io.stores.plans import read_plan
from lesionflow.io.stores.preprocessed import IndexEntry
from lesionflow.steps.parallel import map_cases
from lesionflow.steps.preprocess import array_keys, make_arrays, remove_stale_arrays, require_enough_cases

#: The inputs of `preprocess` that those of a join begin with; the parts follow.
CASES, PLAN = "cases", "plan"
logger = logging.getLogger(__name__)


def preprocess_shard(
    config: PreprocessConfig,
    inputs: Mapping[str, Path],
    folder: Path,
    settings: Settings,
    shard: Shard,
    known: Path | None = None,
) -> dict[str, float]:
    """Make the arrays of some cases.

    Args:
        config: Not used: how many may be lost is told of all parts together.
        inputs: `cases` and `plan`.
        folder: Where the arrays go that are made here.
        settings: Workers.
        shard: Which cases.
        known: The folder of an earlier run, of which the index alone is looked at: what is known and unchanged is not made, and is there when
            the parts are joined.

    Returns:
        `n_made`, `n_kept` and `n_lost`, of this part.

    Raises:
        ArtifactError: When the plan is broken.
    """
    del config
    cases, plan = inputs[CASES], read_plan(inputs[PLAN])
    folder.mkdir(parents=True, exist_ok=True)
    keys = {case_id: key for case_id, key in array_keys(cases, plan).items() if shard.holds(case_id)}
    before = preprocessed.read_index(known) if known else {}
    index = {case_id: entry for case_id, entry in before.items() if keys.get(case_id) == entry.key}
    n_kept = len(index)
    todo = [case_id for case_id in keys if case_id not in index]
    logger.info("Part %d of %d: preprocessing %d cases; %d are known.", shard.number, shard.of, len(todo), n_kept)
    make = partial(make_arrays, cases, folder, plan)
    for case_id, result in map_cases(make, todo, name=str, workers=settings.workers, what="Preprocessing"):
        if isinstance(result, InputError):
            logger.warning("Case %s is left out (%s): %s", case_id, result.reason, result)
            index[case_id] = IndexEntry(key=keys[case_id], sha256="", reason=result.reason)
        else:
            index[case_id] = IndexEntry(key=keys[case_id], sha256=result)
        preprocessed.write_index(folder, index)
    preprocessed.write_index(folder, index)
    lost = sum(1 for entry in index.values() if entry.reason)
    return {"n_made": float(len(todo)), "n_kept": float(n_kept), "n_lost": float(lost)}


def join_preprocess_shards(
    config: PreprocessConfig, inputs: Mapping[str, Path], outputs: Mapping[str, Path], settings: Settings
) -> dict[str, float]:
    """Make of all parts the folder that one preprocessing of all cases would have made, byte for byte.

    Args:
        config: How many may be lost.
        inputs: `cases` and `plan`, then the folder of each part, by any name.
        outputs: `preprocessed`: empty, or what an earlier run wrote, whose arrays are kept where a part knew them.
        settings: Not used; every step is given them.

    Returns:
        The counts of `preprocess`.

    Raises:
        ArtifactError: When a case is in no part or in two, or its arrays are missing or altered.
        DataQualityError: When more than the allowed fraction of all cases is lost.
    """
    del settings
    folder = outputs["preprocessed"]
    folder.mkdir(parents=True, exist_ok=True)
    keys = array_keys(inputs[CASES], read_plan(inputs[PLAN]))
    known = preprocessed.read_index(folder)
    index: dict[str, IndexEntry] = {}
    for part in [path for name, path in inputs.items() if name not in {CASES, PLAN}]:
        for case_id, entry in preprocessed.read_index(part).items():
            if case_id in index or keys.get(case_id) != entry.key:
                raise ArtifactError(
                    f"Expected case {case_id} of this plan in one part of the arrays, found it in two or of another. Run preprocess again."
                )
            index[case_id] = entry
            _take(part, folder, case_id, entry)
    if missing := sorted(set(keys) - set(index)):
        raise ArtifactError(
            f"Expected every case in a part of the arrays, found {len(missing)} in none, such as {missing[0]}. Run preprocess again."
        )
    n_made = sum(1 for case_id, entry in index.items() if known.get(case_id) != entry)
    remove_stale_arrays(folder, index)
    preprocessed.write_index(folder, index)
    require_enough_cases(config, index, folder)
    lost = sum(1 for entry in index.values() if entry.reason)
    return {
        "n_cases": float(len(index) - lost),
        "n_made": float(n_made),
        "n_kept": float(len(index) - n_made),
        "n_lost": float(lost),
    }


def _take(part: Path, folder: Path, case_id: str, entry: IndexEntry) -> None:
    if not entry.sha256:
        return
    made = preprocessed.case_file(part, case_id)
    if made.is_file():
        copy_file(made, preprocessed.case_file(folder, case_id))
    if not preprocessed.is_intact(folder, case_id, entry):
        raise ArtifactError(
            f"Expected the arrays of case {case_id} as their part wrote them, found them missing or altered. Run preprocess again, in one part."
        )
