"""Several networks that answer as one: the mean of their probabilities, given as logits again."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from torch import Tensor, logaddexp, nn
from torch.nn.functional import logsigmoid

Weights = TypeVar("Weights")


class Ensemble(nn.Module):
    """Answers with the logit of the mean of its members' sigmoid probabilities. It is not trained as one.

    Sigmoid and mean are taken in logarithms, so that no probability becomes 0 or 1 on the way however sure all are.

    Args:
        members: Networks of equal inputs and outputs, at least one.

    References:
        Lakshminarayanan et al. 2017, arXiv:1612.01474.
    """

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, image: Tensor) -> Tensor:
        """Map what the members take to one tensor of logits."""
        first, *others = self.members
        logits = first(image).float()
        present, absent = logsigmoid(logits), logsigmoid(-logits)
        for member in others:
            logits = member(image).float()
            present, absent = logaddexp(present, logsigmoid(logits)), logaddexp(absent, logsigmoid(-logits))
        # The number of members, by which both sums were to be divided, cancels out.
        return present - absent


def join_weights(members: Sequence[Mapping[str, Weights]]) -> dict[str, Weights]:
    """Name the weights of members as their ensemble does; those of one alone as they are.

    Args:
        members: Weights by name, at least one member's.
    """
    if len(members) == 1:
        return dict(members[0])
    return {f"{_prefix(n)}{name}": weight for n, member in enumerate(members) for name, weight in member.items()}


def weights_of_member(weights: Mapping[str, Weights], number: int) -> dict[str, Weights]:
    """Return one member's weights out of an ensemble's, by the names of a network alone.

    Args:
        weights: As `join_weights` named them.
        number: Which member, from 0.
    """
    prefix = _prefix(number)
    return {name.removeprefix(prefix): weight for name, weight in weights.items() if name.startswith(prefix)}


def _prefix(number: int) -> str:
    return f"members.{number}."
