"""The training loop: `fit`."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from numpy.typing import NDArray
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import EarlyStopping
from pytorch_lightning.strategies import DDPStrategy
from torch import nn

from lesionflow.errors import ConfigError, LesionFlowError
from lesionflow.training.averaging import AveragedWeights
from lesionflow.training.batches.datamodule import CaseDataModule
from lesionflow.training.freezing import FrozenEncoder
from lesionflow.training.hardware import resolve_compile, resolve_precision
from lesionflow.training.module import NonFiniteLossError, SegmentationModule
from lesionflow.training.pictures.sample_slices import OnPictures, Pictures
from lesionflow.training.process_group import SINGLE_PROCESS, ProcessGroup
from lesionflow.training.recipe import Recipe
from lesionflow.training.recording import OnEpoch, ProgressBar, Recorder
from lesionflow.training.schedule import OUT_OF_TIME, Schedule, StopOnRequest, TimeBudget
from lesionflow.training.state import Row, TrainingState
from lesionflow.training.torch_settings import torch_settings

_log = logging.getLogger(__name__)

#: Lightning's name of each precision; weights stay float32 in all of them.
PRECISIONS: dict[str, Any] = {"float32": "32-true", "bfloat16": "bf16-mixed", "float16": "16-mixed"}


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """What training gave.

    Args:
        state: At its end; kept, it is what `fit` gives again without training.
    """

    state: TrainingState

    @property
    def weights(self) -> dict[str, NDArray[np.generic]]:
        """The weights with the best validation Dice, by torch's names; without validation, the last."""
        return {name: tensor.numpy() for name, tensor in self.state.best.items()}

    @property
    def validation_dice(self) -> float:
        """The best validation Dice; NaN without validation."""
        return self.state.best_dice

    @property
    def history(self) -> list[Row]:
        """A row an epoch."""
        return self.state.history

    @property
    def epochs(self) -> int:
        """Epochs trained."""
        return self.state.epochs

    @property
    def best_epoch(self) -> int:
        """The epoch that gave the weights, from 1."""
        rows = self.state.history
        dice = [row["val/dice"] for row in rows if "val/dice" in row]
        return dice.index(max(dice)) + 1 if dice else len(rows)

    @property
    def minutes(self) -> float:
        """How long it took, resumed parts included."""
        return self.state.elapsed_s / 60

    @property
    def stopped_by(self) -> str:
        """`max_epochs`, `early_stopping`, `request`, `non_finite_loss`, or `OUT_OF_TIME` of the schedule."""
        return self.state.stopped_by


class _Run:
    """The parts of one training."""

    def __init__(
        self,
        module: SegmentationModule,
        on_epoch: OnEpoch,
        resume: TrainingState | None,
        should_stop: Callable[[], bool],
        *,
        validates: bool,
        compiled: bool,
    ) -> None:
        recipe, processes = module.recipe, module.processes
        self.stop = StopOnRequest(should_stop, processes)
        self.extra: list[Any] = []
        self.module = module
        self.epochs_done = resume.epochs if resume else 0
        elapsed_s = resume.elapsed_s if resume else 0.0
        self.budget = TimeBudget(
            recipe, elapsed_s, self.epochs_done, validates=validates, processes=processes, warms_up=compiled
        )
        self.schedule = Schedule(recipe, self.budget, processes)
        self.early_stopping = EarlyStopping(
            "val/dice", mode="max", patience=recipe.early_stopping_patience_epochs, check_on_train_epoch_end=False
        )
        self.averaging = AveragedWeights(recipe.averaging_decay, resume.callbacks["averaging"] if resume else None)
        self.recorder = Recorder(
            self.schedule, self.budget, self.early_stopping, self.averaging, on_epoch, resume, processes.rank
        )
        if resume is not None:
            self.schedule.load_state_dict(resume.callbacks["schedule"])
            self.early_stopping.load_state_dict(resume.callbacks["early_stopping"])
            module.network.load_state_dict(resume.network)

    @property
    def callbacks(self) -> list[Any]:
        """In the order in which they must see the end of an epoch."""
        best = self.recorder.state.best_dice if self.recorder.state else 0.0
        leads = self.module.processes.leads
        bar = [ProgressBar(self.module.recipe.max_epochs, self.budget, best)] if leads else []
        freezing = FrozenEncoder(self.module.recipe, self.budget)
        counting = [self.early_stopping, self.budget, self.schedule, self.stop]
        return [self.averaging, *counting, freezing, *bar, *self.extra, self.recorder]

    @property
    def stopped_by(self) -> str:
        """Why training is over; empty when it is not."""
        if self.stop.requested:
            return "request"
        if self.early_stopping.wait_count >= self.early_stopping.patience:
            return "early_stopping"
        if self.recorder.state is not None and self.recorder.state.epochs >= self.module.recipe.max_epochs:
            return "max_epochs"
        if self.budget.exhausted or not self.budget.fits_another_epoch:
            return OUT_OF_TIME
        return ""


def fit(
    build_network: Callable[[], nn.Module],
    data: CaseDataModule,
    recipe: Recipe,
    *,
    device: str,
    n_threads: int,
    on_epoch: OnEpoch,
    resume: TrainingState | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    on_pictures: OnPictures | None = None,
    processes: ProcessGroup = SINGLE_PROCESS,
) -> TrainingResult:
    """Train until the recipe says stop; return the weights with the best validation Dice, the last without validation.

    On the CPU with the same number of threads, the same recipe and data give the same weights bit for bit, also when
    training was killed and resumed, unless its minutes ended it.

    Args:
        build_network: Makes the network; called once, after seeding.
        data: Batches; without validation slices nothing is validated, and nothing stops early.
        recipe: How to train.
        device: `cpu` or `cuda`.
        n_threads: Threads that torch may use.
        on_epoch: Called with the state after each epoch; keep it to be able to resume.
        resume: State to go on from.
        should_stop: Asked after each batch; once it says yes, training is validated and ends.
        on_pictures: Called with what the network finds in some validation slices, every so many epochs as the recipe says.
        processes: The processes that train together; each calls this with the same data, recipe and state.

    Returns:
        The best weights and how they came about.

    Raises:
        LesionFlowError: When the loss becomes NaN or infinite before the first epoch is over.
        ConfigError: When the batch can't be divided among the process group, or the network can't be compiled here.
    """
    _require_shares(data, processes)
    compiled = resolve_compile(recipe.compile, device=device)
    with torch_settings(recipe, device, n_threads):
        torch.manual_seed(recipe.seed)
        validates = data.slabs is not None
        module = SegmentationModule(build_network(), recipe, processes, compiled=compiled)
        run = _Run(module, on_epoch, resume, should_stop, validates=validates, compiled=compiled)
        if on_pictures is not None and recipe.picture_every_epochs and data.slabs is not None:
            run.extra.append(Pictures(data.slabs, run.budget, run.averaging, on_pictures))
        data.first_epoch, data.processes = run.epochs_done, processes
        stopped_by = processes.share((resume.stopped_by or run.stopped_by) if resume is not None else "")
        if not stopped_by:
            stopped_by = _train(run, data, device)
    state = run.recorder.state
    if state is None:
        raise run.budget.too_short()
    return TrainingResult(replace(state, stopped_by=stopped_by))


def _require_shares(data: CaseDataModule, processes: ProcessGroup) -> None:
    if data.batch_size % processes.size:
        raise ConfigError(
            f"Expected plan.batch_size to be a multiple of the {processes.size} processes of train.devices and train.nodes, found "
            f"{data.batch_size}: each takes an equal part of every batch."
        )
    if data.slabs is not None and len(data.slabs) < processes.size:
        raise ConfigError(
            f"Expected a batch of validation slices for each of {processes.size} processes, found {len(data.slabs)}. "
            "Lower train.devices, or raise train.max_validation_slices_per_case."
        )


def _strategy(recipe: Recipe, processes: ProcessGroup) -> Any:
    if processes.size == 1:
        return "auto"
    # Weights that are frozen for some epochs have no gradient then.
    return DDPStrategy(
        cluster_environment=TorchElasticEnvironment(), find_unused_parameters=recipe.frozen_epochs > 0,
        process_group_backend="nccl" if processes.device == "cuda" else "gloo",
    )  # fmt: skip


def _train(run: _Run, data: CaseDataModule, device: str) -> str:
    recipe, processes = run.module.recipe, run.module.processes
    dimensions = 3 if any(isinstance(part, nn.Conv3d) for part in run.module.modules()) else 2
    trainer = Trainer(
        accelerator="gpu" if device == "cuda" else "cpu",
        devices=processes.n_local,
        num_nodes=processes.n_nodes,
        strategy=_strategy(recipe, processes),
        use_distributed_sampler=False,
        # Statistics of the whole batch; torch has none such for CPUs.
        sync_batchnorm=processes.size > 1 and device == "cuda",
        precision=PRECISIONS[resolve_precision(recipe.precision, device, dimensions)],
        max_epochs=recipe.max_epochs - run.epochs_done,
        gradient_clip_val=recipe.gradient_clip_norm,
        callbacks=run.callbacks,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        limit_val_batches=None if data.slabs is not None else 0,
    )
    try:
        with data.patches.watch.naming_the_dead():
            trainer.fit(run.module, datamodule=data)
    except NonFiniteLossError as error:
        return _after_non_finite_loss(run, error)
    return run.stopped_by or OUT_OF_TIME


def _after_non_finite_loss(run: _Run, error: NonFiniteLossError) -> str:
    state, recipe = run.recorder.state, run.module.recipe
    advice = f"Lower train.learning_rate (now {recipe.learning_rate:g}) or train.gradient_clip_norm."
    if state is None:
        raise LesionFlowError(f"Training stopped in its first epoch: {error}. {advice}") from error
    _log.warning(
        "training stopped in epoch %d: %s; the weights kept so far, with a validation Dice of %.4f, stay. %s",
        state.epochs + 1, error, state.best_dice, advice,
    )  # fmt: skip
    return "non_finite_loss"
