"""All that `train` needs, read and checked before the first epoch: which trainings there are, on which cases.

`train.folds` decides: `one` fold; an `ensemble` of one network a fold; or, for `final`, those and then one network on all.
"""

import hashlib
import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lesionflow.config import Settings, TrainConfig
from lesionflow.data.plan import Plan
from lesionflow.data.split import Fold, Split
from lesionflow.errors import ArtifactError, ConfigError
from lesionflow.io.stores import preprocessed
from lesionflow.io.stores.plans import read_plan
from lesionflow.io.stores.preprocessed import IndexEntry
from lesionflow.io.stores.splits import read_split
from lesionflow.steps.train.coarse_stage import coarse_tasks
from lesionflow.steps.train.refused_inputs import require_fitting_params, require_tumors
from lesionflow.steps.train.task import TrainingTask
from lesionflow.steps.train.transfer import Source, find_source
from lesionflow.training import CaseArrays

#: Arrays that take less stay decompressed in memory: a patch is then read a hundred times faster.
IN_MEMORY_BYTES = 2_000_000_000
logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class TrainingInputs:
    """All that is trained.

    Args:
        config: How, as params say.
        tasks: One a fold.
        cases: The arrays of all their cases by id.
        data_revision: Digest over the preprocessed cases of all.
    """

    config: TrainConfig
    tasks: tuple[TrainingTask, ...]
    cases: Mapping[str, CaseArrays]
    data_revision: str

    @property
    def plan(self) -> Plan:
        """The one plan."""
        return self.tasks[0].plan

    @property
    def key(self) -> str:
        """Digest of all that decides the result."""
        return hashlib.sha256("".join(task.key for task in self.tasks).encode()).hexdigest()

    @property
    def train(self) -> tuple[str, ...]:
        """Cases that any training learns from."""
        return _united(task.train for task in self.tasks)

    @property
    def validation(self) -> tuple[str, ...]:
        """Cases that judge any training."""
        return _united(task.validation for task in self.tasks)

    @property
    def combined(self) -> TrainingTask:
        """All of it as if it were one training: what the run of all is told."""
        if len(self.tasks) == 1:
            return self.tasks[0]
        return replace(
            self.tasks[0], config=self.config, train=self.train, validation=self.validation,
            data_revision=self.data_revision, fold=None,
        )  # fmt: skip

    def on_all_cases(self, max_epochs: int) -> TrainingTask:
        """Return the training that learns from all cases, for a number of epochs that the folds found best."""
        config = self.config.model_copy(update={"max_epochs": max_epochs})
        return replace(self.combined, config=config, train=_united((self.train, self.validation)), validation=())


def load_inputs(config: TrainConfig, inputs: Mapping[str, Path], settings: Settings) -> TrainingInputs:
    """Read all that training needs and check that it fits together.

    Args:
        config: How to train.
        inputs: `preprocessed`, `splits` and `plan`.
        settings: Where the store of models and the folder for fetched files are.

    Returns:
        A task a fold that is trained, with all their cases. Fold f of several has the seed of params plus f.

    Raises:
        ArtifactError: When an input is broken or holds no case to train or validate on.
        ConfigError: When loss, source or number of processes do not fit the plan.
        ServiceError: When the source of first weights can't be reached.
    """
    plan, split = read_plan(inputs["plan"]), read_split(inputs["splits"])
    require_fitting_params(config, plan)
    folder = inputs["preprocessed"]
    index = preprocessed.read_index(folder)
    source = find_source(config.transfer, settings)
    if source is not None:
        source.warn_of_unknown_cases()
    folds = _folds(config, split)
    tasks = tuple(_task(config, plan, fold, split.folds[fold], index, source) for fold in folds)
    used = _united(part for task in tasks for part in (task.train, task.validation))
    _warn_of_lost([split.folds[fold] for fold in folds], used)
    cases = _open_cases(folder, {case_id: index[case_id] for case_id in used})
    for task in tasks:
        require_tumors(
            task, [cases[case_id] for case_id in task.train], [cases[case_id] for case_id in task.validation]
        )
        coarse_tasks(task, cases)
    return TrainingInputs(config, tasks, cases, preprocessed.revision_of(used, index))


def _task(
    config: TrainConfig, plan: Plan, number: int, fold: Fold, index: Mapping[str, IndexEntry], source: Source | None
) -> TrainingTask:
    train, validation = _usable(fold.train, index), _usable(fold.validation, index)
    for verb, case_ids in (("train", train), ("validate", validation)):
        if not case_ids:
            raise ArtifactError(
                f"Expected at least one preprocessed case to {verb} on in fold {number}, found none. Add studies."
            )
    own = config if config.folds == "one" else config.model_copy(update={"seed": config.seed + number})
    first = source.of_member(number) if source else None
    if first is not None:
        first.warn_of_known_cases(validation)
    return TrainingTask(
        own, plan, train, validation, preprocessed.revision_of((*train, *validation), index), first, number
    )


def _folds(config: TrainConfig, split: Split) -> tuple[int, ...]:
    if config.folds == "one":
        return (split.fold,)
    if len(split.folds) < 2:
        raise ConfigError(
            f"Expected a split of at least two folds for train.folds {config.folds}, found {len(split.folds)}. "
            "Raise split.n_folds, or set train.folds to one."
        )
    return tuple(range(len(split.folds)))


def _usable(case_ids: Iterable[str], index: Mapping[str, IndexEntry]) -> tuple[str, ...]:
    """Leave out the cases that could not be preprocessed; `preprocess` has judged how many that may be."""
    return tuple(case_id for case_id in sorted(case_ids) if case_id in index and index[case_id].sha256)


def _warn_of_lost(folds: Sequence[Fold], used: Sequence[str]) -> None:
    wanted = _united(part for fold in folds for part in (fold.train, fold.validation))
    if lost := sorted(set(wanted) - set(used)):
        logger.warning("%d cases are not trained with, they could not be preprocessed: %s", len(lost), ", ".join(lost))


def _united(parts: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(sorted({case_id for part in parts for case_id in part}))


def _open_cases(folder: Path, index: Mapping[str, IndexEntry]) -> dict[str, CaseArrays]:
    """Open the cases; decompressed once and for all where they fit into memory together."""
    cases = {}
    for case_id, entry in index.items():
        if not preprocessed.is_intact(folder, case_id, entry):
            message = f"Expected the preprocessed case {case_id} as its index names it, found it altered or missing."
            raise ArtifactError(f"{message} Run preprocess again.")
        stored = preprocessed.open_case(preprocessed.case_file(folder, case_id))
        cases[case_id] = CaseArrays(case_id, stored.image, stored.mask, stored.foreground)
    size = sum(4 * math.prod(case.image.shape) + math.prod(case.mask.shape) for case in cases.values())
    if size > IN_MEMORY_BYTES:
        logger.info("%.1f GB of arrays stay compressed", size / 1e9)
        return cases
    return {
        case_id: CaseArrays(case_id, np.asarray(case.image[:]), np.asarray(case.mask[:]), case.foreground)
        for case_id, case in cases.items()
    }
