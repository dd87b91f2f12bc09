"""The training loop over batches, the only pytorch_lightning: see `fit`. What is trained on what belongs to `steps.train`."""

from lesionflow.training.batches.case_arrays import CaseArrays
from lesionflow.training.batches.datamodule import CaseDataModule
from lesionflow.training.batches.sampling import PatchShape
from lesionflow.training.hardware import resolve_compile, resolve_device, resolve_precision
from lesionflow.training.losses import LOSSES
from lesionflow.training.process_group import ProcessGroup
from lesionflow.training.recipe import Recipe
from lesionflow.training.state import TrainingState
from lesionflow.training.trainer import TrainingResult, fit

__all__ = [
    "LOSSES",
    "CaseArrays",
    "CaseDataModule",
    "PatchShape",
    "ProcessGroup",
    "Recipe",
    "TrainingResult",
    "TrainingState",
    "fit",
    "resolve_compile",
    "resolve_device",
    "resolve_precision",
]
