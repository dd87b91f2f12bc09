"""The batches of a training, made from its cases."""

from collections.abc import Mapping

from lesionflow.augmentation import Changes, build_augmentation
from lesionflow.models import size_multiple
from lesionflow.steps.train.task import TrainingTask
from lesionflow.training import CaseArrays, CaseDataModule
from lesionflow.training.batches.sampling import CoarsePredictionDropout, TrainingPatches
from lesionflow.training.batches.slabs import ValidationSlabs


def make_data(task: TrainingTask, cases: Mapping[str, CaseArrays], n_loaders: int) -> CaseDataModule:
    """Make the batches of a training.

    Args:
        task: What is trained on what.
        cases: Its cases by id.
        n_loaders: Processes that make them beside the one that trains.

    Returns:
        Random, changed patches of the training cases and whole slices of the validation cases, if there are any.
    """
    config, plan = task.config, task.plan
    targets = tuple(target.labels for target in plan.targets)
    slices, rows, columns = (spacing or 1.0 for spacing in plan.spacing_mm)
    augmentation = build_augmentation(
        Changes(**config.augmentation.model_dump(exclude={"hint_loss_probability"})),
        spacing_mm=(slices, rows, columns),
        n_image_slices=task.patch.size[0],
        n_mask_slices=task.patch.n_mask_slices,
        n_coarse_predictions=plan.n_coarse_predictions,
    )
    patches = TrainingPatches(
        [cases[case_id] for case_id in task.train],
        targets,
        task.patch,
        foreground_fraction=config.foreground_fraction,
        size_exponent=config.size_exponent,
        augmentation=augmentation,
        coarse_prediction_dropout=CoarsePredictionDropout(
            plan.n_coarse_predictions, config.augmentation.hint_loss_probability
        )
        if plan.n_coarse_predictions
        else None,
        seed=config.seed,
    )
    validation = [cases[case_id] for case_id in task.validation]
    slabs = ValidationSlabs(
        validation,
        targets,
        task.patch,
        max_slices=config.max_validation_slices_per_case,
        multiple=size_multiple(plan.architecture),
    )
    return CaseDataModule(
        patches,
        slabs if task.validation else None,
        batch_size=plan.batch_size,
        batches_per_epoch=config.batches_per_epoch,
        n_workers=n_loaders,
    )
