"""The first stage of a cascade: two networks on shrunk volumes, and what they tell the second stage of each case.

Each learns from half of a training's cases and tells of the other half, so that the second stage learns from coarse predictions as good, or as bad,
as those that it will be given of a new study; to a case that neither has learned from, both tell their mean.
"""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from lesionflow.data.plan import Plan
from lesionflow.errors import ArtifactError
from lesionflow.inference.backends import PYTORCH
from lesionflow.inference.stage import Stage
from lesionflow.models.ensemble import join_weights
from lesionflow.steps.train.task import TrainingTask
from lesionflow.training import CaseArrays
from lesionflow.training.batches.coarse_predictions import shrunk, with_coarse_predictions

#: Share of a training's minutes that the first stage may take, and of its epochs that each coarse fold does.
FIRST_SHARE, COARSE_FOLD_SHARE = 1 / 3, 1 / 2
#: Sets the seeds of coarse folds apart from those of other folds.
SEED_STEP = 1000

Weights = Mapping[str, NDArray[np.generic]]
logger = logging.getLogger(__name__)


def coarse_tasks(task: TrainingTask, cases: Mapping[str, CaseArrays]) -> tuple[TrainingTask, ...]:
    """Return the trainings of the first stage; none where the plan is no cascade.

    Args:
        task: The training whose first stage it is.
        cases: Its cases by id.

    Raises:
        ArtifactError: When there are not enough cases with each target for all of them.
    """
    first = task.plan.first_stage()
    if first is None:
        return ()
    plan = first.model_copy(update={"architecture": first.architecture.model_copy(update={"n_members": 1})})
    # Dealt by what they show, so that rare labels come to each of them.
    ordered = sorted(task.train, key=lambda case_id: (cases[case_id].labels, case_id))
    transfer = task.config.transfer.model_copy(update={"source": "none", "sha256": ""})
    made = []
    for number in range(first.architecture.n_members):
        train = tuple(sorted(ordered[number :: first.architecture.n_members]))
        seen = {label for case_id in train for label in cases[case_id].labels}
        unseen = [target.name for target in plan.targets if not seen & set(target.labels)]
        if unseen:
            raise ArtifactError(
                f"Expected at least two training cases with {', '.join(unseen)} in {task.name} for a cascade, whose first stage learns "
                "from each half of them, found fewer. Add studies, or set plan.cascade to false."
            )
        update = {
            "seed": task.config.seed + SEED_STEP * (number + 1),
            "max_epochs": math.ceil(task.config.max_epochs * COARSE_FOLD_SHARE),
            "transfer": transfer,
        }
        config = task.config.model_copy(update=update)
        made.append(replace(task, config=config, plan=plan, train=train, source=None, coarse_fold=number))
    return tuple(made)


def shrink_cases(task: TrainingTask, cases: Mapping[str, CaseArrays]) -> Mapping[str, CaseArrays]:
    """Return a training's cases as its first stage sees them; none where the plan is no cascade."""
    if task.plan.coarse is None:
        return {}
    return {case_id: shrunk(cases[case_id], task.plan.coarse.factors) for case_id in (*task.train, *task.validation)}


def add_coarse_predictions(
    task: TrainingTask,
    cases: Mapping[str, CaseArrays],
    small: Mapping[str, CaseArrays],
    first: Sequence[tuple[TrainingTask, Weights]],
    device: str,
) -> Mapping[str, CaseArrays]:
    """Return the cases with what the first stage tells of each.

    Args:
        task: The training of the second stage.
        cases: Its cases by id.
        small: The same as the first stage sees them.
        first: Each half with its weights; none where the plan is no cascade, and the cases are then returned as they are.
        device: `cpu` or `cuda`.
    """
    coarse = task.plan.coarse
    if coarse is None:
        return cases
    logger.info("the first stage looks at %d cases", len(small))
    stages: dict[tuple[int, ...], Stage] = {}
    with_coarse = {}
    for case_id, case in small.items():
        unseen_by = tuple(number for number, (coarse, _) in enumerate(first) if case_id not in coarse.train)
        if unseen_by not in stages:
            weights = join_weights([first[number][1] for number in unseen_by])
            stages[unseen_by] = _stage(first[0][0].plan, len(unseen_by), weights, device)
        coarse_predictions = stages[unseen_by].predict(np.asarray(case.image), batch_size=1, lean=False)
        with_coarse[case_id] = with_coarse_predictions(cases[case_id], coarse_predictions, coarse.factors)
    return with_coarse


def _stage(plan: Plan, n_members: int, weights: Weights, device: str) -> Stage:
    members = plan.architecture.model_copy(update={"n_members": n_members})
    return Stage(
        plan.model_copy(update={"architecture": members}), weights, device=torch.device(device), backend=PYTORCH
    )
