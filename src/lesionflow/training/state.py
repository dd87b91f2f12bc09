"""All that training needs to go on after it was killed: one value, stored as one file."""

import io
import pickle
from dataclasses import dataclass, field, fields
from typing import Any

import torch

from lesionflow.errors import ArtifactError
from lesionflow.machine.error_words import plain_words

#: One epoch's figures, by name.
Row = dict[str, float]


@dataclass(frozen=True, kw_only=True)
class TrainingState:
    """Training at the end of an epoch.

    Args:
        network: Weights now.
        optimizer: The optimizer's state.
        callbacks: State of the schedule and of early stopping.
        precision: State of the loss scaler, where there is one.
        best: Weights with the best Dice so far; without validation, those of the last epoch.
        best_dice: That Dice, or NaN.
        elapsed_s: Seconds trained so far, all parts of a resumed training together.
        history: A row an epoch.
        stopped_by: Why training is over, as `TrainingResult` says; empty while it is not.
    """

    network: dict[str, torch.Tensor]
    optimizer: dict[str, Any]
    callbacks: dict[str, dict[str, Any]]
    precision: dict[str, Any]
    best: dict[str, torch.Tensor]
    best_dice: float
    elapsed_s: float
    history: list[Row] = field(default_factory=list)
    stopped_by: str = ""

    @property
    def epochs(self) -> int:
        """Epochs done."""
        return len(self.history)

    def to_bytes(self) -> bytes:
        """Serialize; plain tensors, numbers and text only, so that reading runs no code."""
        buffer = io.BytesIO()
        shallow = {part.name: getattr(self, part.name) for part in fields(self)}
        torch.save(shallow, buffer)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> "TrainingState":
        """Read what `to_bytes` wrote.

        Raises:
            ArtifactError: When it is something else.
        """
        try:
            return cls(**torch.load(io.BytesIO(content), weights_only=True, map_location="cpu"))
        except pickle.UnpicklingError as error:
            message = "Expected a checkpoint of training, found more than tensors and plain values, or no checkpoint: nothing of it was run. Remove it."
            raise ArtifactError(message) from error
        except Exception as error:
            # torch.load raises a dozen kinds of errors on bytes that are not its own.
            message = f"Expected a checkpoint of training, found: {plain_words(error, length=200)}. Remove it."
            raise ArtifactError(message) from error
