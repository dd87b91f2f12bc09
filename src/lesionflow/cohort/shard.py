"""A part of what a step works on, so that several machines share it: who is in which part is told from a name alone."""

import hashlib
from dataclasses import dataclass

from lesionflow.errors import ConfigError


@dataclass(frozen=True)
class Shard:
    """One of several parts.

    What a name belongs to never depends on what else there is: studies that are added move no other to another part.

    Args:
        number: Which, from 0.
        of: How many there are.

    Raises:
        ConfigError: When there is no such part.
    """

    number: int
    of: int

    def __post_init__(self) -> None:
        if not 0 <= self.number < self.of:
            raise ConfigError(f"Expected a shard from 0 to {self.of - 1} of {self.of}, found {self.number}.")

    def holds(self, name: str) -> bool:
        """Tell whether a patient, or a case, is in this part."""
        return int(hashlib.sha256(name.encode()).hexdigest(), 16) % self.of == self.number


#: All of it.
WHOLE_WORK = Shard(0, 1)
