"""What torch and Lightning keep globally: set for one training, and put back."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from lightning_fabric.utilities.warnings import PossibleUserWarning

from lesionflow.training.recipe import Recipe


@contextmanager
def torch_settings(recipe: Recipe, device: str, n_threads: int) -> Iterator[None]:
    """Set what torch keeps globally, and put it back."""
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    # torch's types do not know the switch.
    memory: Any = torch.utils.deterministic
    fill, benchmark = memory.fill_uninitialized_memory, torch.backends.cudnn.benchmark
    torch.set_num_threads(n_threads)
    if recipe.deterministic:
        # cuBLAS asks for this (CUDA docs, "Results reproducibility").
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=device == "cuda")
        # Filling fresh memory only guards against reading it before writing; it costs time in every operation.
        memory.fill_uninitialized_memory = False
    torch.backends.cudnn.benchmark = not recipe.deterministic
    try:
        with _quiet_lightning():
            yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
        memory.fill_uninitialized_memory = fill
        torch.backends.cudnn.benchmark = benchmark


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Lightning reports hardware at INFO and advises on workers by warnings: neither is for our users."""
    loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning_fabric", "lightning.pytorch")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PossibleUserWarning)
            # Lightning 2.6 calls torch's tree functions by a name that torch 2.13 deprecates.
            warnings.filterwarnings("ignore", ".*LeafSpec.*", FutureWarning)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
