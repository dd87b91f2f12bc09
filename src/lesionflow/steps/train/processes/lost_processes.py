"""Processes that go lost in the midst of a training: told as what they are, not as what their network library says."""

import logging
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from lesionflow.errors import LesionFlowError

#: A connection breaks before the system tells that the process at its other end is gone.
SETTLE_S = 5.0
POLL_S = 0.05
#: What gloo, NCCL and their store say when another process is gone.
CONNECTION = re.compile(r"closed by peer|reset by peer|broken pipe|connection|timed out|socket|NCCL", re.IGNORECASE)
logger = logging.getLogger(__name__)

Worker = subprocess.Popen[bytes]


@contextmanager
def telling_losses(workers: Sequence[Worker]) -> Iterator[None]:
    """Turn a connection that breaks within the block into an error that says which process ended.

    Args:
        workers: Those of this machine that were started here.

    Yields:
        Nothing.

    Raises:
        LesionFlowError: When another process ended, or can't be reached any more.
    """
    try:
        yield
    except (RuntimeError, BrokenPipeError) as error:
        # gloo and NCCL raise no kind of their own; what the training itself raised stays what it is.
        code = _await_loss(workers)
        if code is not None:
            raise LesionFlowError(
                f"Expected {len(workers)} processes beside this one to train to the end, found one ended with code {code}"
                f"{' (killed)' if code < 0 else ''}; its last words stand above. Start again: training goes on after the last "
                "whole epoch."
            ) from error
        if not CONNECTION.search(str(error)):
            raise
        raise LesionFlowError(
            f"Expected the processes of this training to reach one another to the end, found: {error!s:.200}. Look whether "
            "another machine or its process is gone, and start again: training goes on after the last whole epoch."
        ) from error


def part(workers: Sequence[Worker], timeout_s: float) -> None:
    """Wait for workers that have nothing left to do; one that does not end is told of, and ended by who started it."""
    for worker in workers:
        try:
            worker.wait(timeout_s)
        except subprocess.TimeoutExpired:
            logger.warning("a process that helped training did not end within %.0f s: it is ended now", timeout_s)


def end(workers: Sequence[Worker]) -> None:
    """End workers, whatever they do."""
    for worker in workers:
        worker.kill()
        worker.wait()
        if worker.stdout is not None:
            worker.stdout.close()


def _await_loss(workers: Sequence[Worker]) -> int | None:
    """Return the exit code of a worker that ended before its time, waiting a little for it; None where all live."""
    deadline = time.monotonic() + (SETTLE_S if workers else 0.0)
    while True:
        codes = [code for worker in workers if (code := worker.poll())]
        if codes or time.monotonic() >= deadline:
            return codes[0] if codes else None
        time.sleep(POLL_S)
