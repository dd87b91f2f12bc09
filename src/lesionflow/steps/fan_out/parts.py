"""A step on several machines: each does a part of its work, and a last task joins the parts to what one would have made, byte for byte.

`run_part` and `join_parts` are to a fan-out what `run_step` is to a step. A part goes on from the project store as a step does, but fetches the
index alone: the files of what is known reach the join from the store, not through every part.
"""

import logging
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from lesionflow.cohort.shard import Shard
from lesionflow.config.loading import SectionValues
from lesionflow.errors import ConfigError
from lesionflow.io.project_store.store import ProjectStore
from lesionflow.machine.extras import naming_extras
from lesionflow.steps import prepare_step, step_named
from lesionflow.steps.attesting import watch
from lesionflow.steps.kept_output import claim_store, run_kept

logger = logging.getLogger(__name__)


class FannedStep(NamedTuple):
    """How a step is parted: its module, the functions that do a part and join all, and inputs that the join has no need of."""

    module: str
    part: str
    join: str
    read_by_parts_alone: frozenset[str] = frozenset()


FANNED: Mapping[str, FannedStep] = {
    "ingest": FannedStep(
        "lesionflow.steps.fan_out.ingest_shards", "ingest_shard", "join_ingest_shards", frozenset({"raw"})
    ),
    "preprocess": FannedStep(
        "lesionflow.steps.fan_out.preprocess_shards", "preprocess_shard", "join_preprocess_shards"
    ),
    "train": FannedStep("lesionflow.steps.fan_out.folds", "train_fold", "join_folds"),
}


def run_part(
    name: str,
    params: SectionValues,
    inputs: Mapping[str, Path],
    part: Path,
    shard: Shard,
    *,
    project_store: str = "",
) -> Mapping[str, float]:
    """Do a part of a step's work.

    Args:
        name: A key of `FANNED`.
        params: The step's params section: plain values, or its text.
        inputs: The step's.
        part: The folder that the part goes to.
        shard: Which part, of how many.
        project_store: As `run_step` takes it; nothing is kept there by a part.

    Returns:
        Figures that say what was done.

    Raises:
        ConfigError: When the step can't be parted, or params, paths or settings do not fit.
        ArtifactError: When the store is another project's, or was harmed.
    """
    fanned, step = _find(name), step_named(name)
    section, settings = prepare_step(name, params, inputs, {"part": part})
    with naming_extras(), tempfile.TemporaryDirectory() as scratch:
        work = getattr(import_module(fanned.module), fanned.part)
        known = None
        if project_store and step.continues:
            store = ProjectStore(project_store)
            claim_store(store, section, inputs, settings)
            known = _known(store, step.outputs[0], Path(scratch))
        counts: Mapping[str, float] = work(section, inputs, part, settings, shard, known)
    return counts


def join_parts(
    name: str,
    params: SectionValues,
    inputs: Mapping[str, Path],
    parts: Sequence[Path],
    outputs: Mapping[str, Path],
    *,
    project_store: str = "",
) -> Mapping[str, float]:
    """Make of all parts what the step makes, attested as the step's.

    Args:
        name: A key of `FANNED`.
        params: The step's params section: plain values, or its text.
        inputs: The step's, but for those that parts alone read.
        parts: The folder of each, in any order.
        outputs: The step's.
        project_store: As `run_step` takes it: the joined output is kept there.

    Returns:
        The step's counts.

    Raises:
        ConfigError: When the step can't be parted, or params, paths or settings do not fit.
        ArtifactError: When a part is missing or harmed, or the store is another project's.
        ConflictError: When other runs of the project are faster again and again.
    """
    fanned, step = _find(name), step_named(name)
    if not parts:
        raise ConfigError(f"Expected the parts of {name} to join, found none. Run them first.")
    given = {**inputs, **{f"part-{number:05d}": part for number, part in enumerate(parts)}}
    section, settings = prepare_step(name, params, given, outputs)
    with naming_extras():
        run = getattr(import_module(fanned.module), fanned.join)
        if project_store:
            run = partial(run_kept, run, project_store=project_store, continues=step.continues)
        # What parts alone read is attested by what they say of it, as the step does.
        witness = watch(name, section, {**inputs, **dict.fromkeys(fanned.read_by_parts_alone, parts[0])}, settings)
        counts: Mapping[str, float] = run(section, given, outputs, settings)
    witness.attest(outputs)
    return counts


def _find(name: str) -> FannedStep:
    if name not in FANNED:
        raise ConfigError(f"Expected a step that can be parted, {', '.join(FANNED)}, found {name}. Run it in one task.")
    return FANNED[name]


def _known(store: ProjectStore, output: str, folder: Path) -> Path | None:
    """Fetch what an earlier output says of itself, the files at its top; None where there is none yet."""
    edition = store.latest(output)
    if edition is None:
        return None
    for file in (file for file in edition.files if "/" not in file):
        store.take_object(edition.files[file][0], folder / file)
    logger.info("edition %d of %s is known", edition.number, output)
    return folder
