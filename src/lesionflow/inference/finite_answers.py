"""Numbers that are none: a network that answers NaN or infinity has found nothing out, and "no tumor" is not what it said.

One comparison with NaN is false, and so a mask of it is empty and the most confident there is. It costs a sum a patch to tell.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lesionflow.errors import ArtifactError


class FiniteCheck:
    """Sums of all that a network said of one part of a study; looked at once, so that a GPU is not waited for after each answer."""

    def __init__(self) -> None:
        self._total: Tensor | None = None

    def add(self, logits: Tensor) -> None:
        """Take what the network said; the sum of finite ones is finite, and one that is not makes it so for good.

        Args:
            logits: Of any shape and precision. Infinity counts: a sigmoid makes a plain 0 or 1 of it.
        """
        found = logits.sum(dtype=torch.float64)
        self._total = found if self._total is None else self._total + found

    def require(self) -> None:
        """Refuse the answer when any of it was NaN or infinite.

        Raises:
            ArtifactError: Which blames the model or the machine: the study was finite when it was brought to model space.
        """
        if self._total is not None and not math.isfinite(float(self._total)):
            raise not_finite("the network")


def require_finite(probabilities: NDArray[np.floating], name: str) -> None:
    """Refuse what another program said when any of it is NaN or infinite.

    Args:
        probabilities: Of any shape.
        name: Who said it.

    Raises:
        ArtifactError: When any is not finite.
    """
    if not math.isfinite(float(probabilities.sum(dtype=np.float64))):
        raise not_finite(name)


def not_finite(name: str) -> ArtifactError:
    """Return the error of a model, or of a machine, that answers with what is no number."""
    return ArtifactError(
        f"Expected finite numbers of {name}, found NaN or infinity, though the study itself is finite: the model's weights, the backend or this "
        "machine is at fault, not the study, and nothing is said of it. Run `lesionflow models verify`, try LESIONFLOW_DEVICE=cpu, and tell who "
        "made the model."
    )
