"""What a training runs on."""

from dataclasses import dataclass

from lesionflow.training import ProcessGroup

#: More loaders than this do not make one network faster.
MAX_LOADERS = 12


@dataclass(frozen=True)
class Compute:
    """What a training runs on.

    Args:
        device: `cpu` or `cuda`.
        workers: Threads or loader processes that this process may use.
        processes: The processes that train together, this one among them.
    """

    device: str
    workers: int
    processes: ProcessGroup

    @property
    def n_loaders(self) -> int:
        """Processes that make batches beside the one that trains."""
        # On the CPU a patch takes 0.7 ms: making it in this process costs 3 % of a step, a process beside it 12 %.
        return 0 if self.device == "cpu" else min(self.workers, MAX_LOADERS)
