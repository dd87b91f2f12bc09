"""What `train` refuses before its first epoch: params that do not fit the plan, cases that teach nothing."""

from collections.abc import Sequence

from lesionflow.config import TrainConfig
from lesionflow.data.plan import Plan
from lesionflow.errors import ArtifactError, ConfigError
from lesionflow.steps.train.task import TrainingTask
from lesionflow.training import CaseArrays


def require_fitting_params(config: TrainConfig, plan: Plan) -> None:
    """Refuse params that the plan's network or data can't be trained by.

    Raises:
        ConfigError: It names the key and what to set.
    """
    _require_exclusive_targets(config, plan)
    _require_pictures_to_invert(config, plan)
    _require_a_schedule_for_all(config)
    _require_one_process(config, plan)


def require_tumors(task: TrainingTask, train: Sequence[CaseArrays], validation: Sequence[CaseArrays]) -> None:
    """Refuse targets that training would never see, and a validation that finding nothing would pass.

    Args:
        task: The training.
        train: The cases that it learns from.
        validation: The cases that it is judged by.

    Raises:
        ArtifactError: It names the targets, or the fold.
    """
    seen = {label for case in train for label in case.labels}
    unseen = [target.name for target in task.plan.targets if not seen & set(target.labels)]
    if unseen:
        raise ArtifactError(
            f"Expected each target in at least one of {len(train)} training cases of fold {task.fold}, found none with "
            f"{', '.join(unseen)}. Add studies that have it, or take it out of ingest.labels and ingest.regions."
        )
    if not any(case.labels for case in validation):
        raise ArtifactError(
            f"Expected a tumor in at least one of {len(validation)} validation cases of fold {task.fold}, found none: a "
            "network that finds nothing would have Dice 1. Choose another split.fold or split.seed, or add studies."
        )


def _require_exclusive_targets(config: TrainConfig, plan: Plan) -> None:
    labels = [label for target in plan.targets for label in target.labels]
    if config.loss == "dice_ce" and len(set(labels)) < len(labels):
        names = ", ".join(target.name for target in plan.targets)
        raise ConfigError(
            f"Expected targets that exclude one another for train.loss dice_ce, found regions that overlap ({names}). "
            "Choose dice_bce."
        )


def _require_pictures_to_invert(config: TrainConfig, plan: Plan) -> None:
    others = [f"{channel.name} ({channel.kind})" for channel in plan.channels if channel.kind != "picture"]
    if config.augmentation.inversion_probability and others:
        raise ConfigError(
            f"Expected channels of kind picture for train.augmentation.inversion_probability, found {', '.join(others)}: turned "
            "light to dark it shows no body. Set it to 0."
        )


def _require_a_schedule_for_all(config: TrainConfig) -> None:
    if config.folds == "final" and config.scheduler == "plateau":
        raise ConfigError(
            "Expected train.scheduler cosine or polynomial for train.folds final, whose last network is not validated, found "
            "plateau."
        )


def _require_one_process(config: TrainConfig, plan: Plan) -> None:
    size = config.devices * config.nodes
    if plan.coarse is not None and size > 1:
        raise ConfigError(
            f"Expected one process to train a cascade, found train.devices x train.nodes of {size}. Set both to 1, or plan.cascade to "
            "false."
        )
