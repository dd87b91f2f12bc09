"""Which case each loader process is at, so that one that dies has not died without saying why."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch.utils.data import get_worker_info

from lesionflow.errors import LesionFlowError
from lesionflow.machine.error_words import plain_words

#: Loader processes told apart, at most.
MAX_LOADERS = 64
IDLE = -1
#: What torch says when a loader process was killed.
DEATH = re.compile(r"DataLoader worker .*(exited unexpectedly|is killed by signal)")


class LoaderWatch:
    """Remembers, in memory that all loader processes share, the case that each is at.

    Args:
        case_ids: All cases.
    """

    def __init__(self, case_ids: Sequence[str]) -> None:
        self.case_ids = tuple(case_ids)
        self._numbers = {case_id: number for number, case_id in enumerate(case_ids)}
        self._at = torch.full((MAX_LOADERS,), IDLE, dtype=torch.int32).share_memory_()

    @contextmanager
    def at(self, case_id: str) -> Iterator[None]:
        """Say which case is being read; name it in whatever goes wrong.

        Yields:
            Nothing.

        Raises:
            LesionFlowError: For any fault within the block.
        """
        worker = get_worker_info()
        place = (worker.id if worker else 0) % MAX_LOADERS
        self._at[place] = self._numbers[case_id]
        try:
            yield
        except Exception as error:
            # Whatever a file or a transform raises: the case is what a person can act on.
            raise LesionFlowError(
                f"Expected to make a patch of case {case_id}, found: {plain_words(error, length=300)}. "
                "Look at the case; run preprocess again if its file is broken."
            ) from error
        self._at[place] = IDLE

    @property
    def unfinished(self) -> tuple[str, ...]:
        """The cases that loader processes are at, or were when they died."""
        return tuple(sorted({self.case_ids[number] for number in self._at.tolist() if number != IDLE}))

    @contextmanager
    def naming_the_dead(self) -> Iterator[None]:
        """Say at which cases loader processes were when one was killed.

        Yields:
            Nothing.

        Raises:
            LesionFlowError: When a loader process died.
        """
        try:
            yield
        except RuntimeError as error:
            if not DEATH.search(str(error)):
                raise
            cases = ", ".join(self.unfinished) or "none"
            raise LesionFlowError(
                f"Expected the loader processes to live, found one killed while they made patches of {cases}: {error!s:.200}. "
                "Most often memory ran out: lower LESIONFLOW_WORKERS, or give more memory."
            ) from error
