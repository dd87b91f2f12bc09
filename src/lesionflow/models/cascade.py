"""The weights of a cascade in one table: the first stage's, by a prefix, beside those of the network that has the last word."""

from collections.abc import Mapping
from typing import TypeVar

Weights = TypeVar("Weights")
PREFIX = "coarse."


def join_stages(coarse: Mapping[str, Weights], fine: Mapping[str, Weights]) -> dict[str, Weights]:
    """Put the weights of both stages into one table.

    Args:
        coarse: Of the first stage, by the names of its own network.
        fine: Of the second.
    """
    return {**fine, **{f"{PREFIX}{name}": weight for name, weight in coarse.items()}}


def part_stages(weights: Mapping[str, Weights]) -> tuple[dict[str, Weights], dict[str, Weights]]:
    """Return the weights of the first stage, none where there is no cascade, and of the second.

    Args:
        weights: As `join_stages` named them.
    """
    coarse = {name.removeprefix(PREFIX): weight for name, weight in weights.items() if name.startswith(PREFIX)}
    return coarse, {name: weight for name, weight in weights.items() if not name.startswith(PREFIX)}
