"""Results and jobs that nobody needs any more: removed when their time is over, though nobody asks, and when their owner says so. How long that is, the settings say, not this."""

import asyncio
import logging
import time
from typing import Any

from anyio import to_thread

from lesionflow.errors import ServiceError

#: How often it is looked, at most; where results are kept for less than ten times that, a tenth of their time.
LOOK_S = 600.0
logger = logging.getLogger(__name__)


async def keep_retention(state: Any) -> None:
    """Remove what is too old, again and again, until the service ends.

    Args:
        state: The application's.
    """
    while True:
        await asyncio.sleep(min(LOOK_S, state.service.max_result_age_s / 10))
        try:
            await to_thread.run_sync(remove_old, state)
        except ServiceError as error:
            # Away for a while: the next time does it.
            logger.warning("what is too old was not removed: %s", error)
        except Exception:
            # Nobody waits for this task, and what it must remove are patients' studies: it goes on, and the log says why it did not.
            logger.exception("what is too old was not removed")


def remove_old(state: Any) -> None:
    """Remove jobs that ended longer ago than results are kept, with all that is left of them, and results that are too many.

    A job of which a file can't be removed stays, and is tried again the next time.
    """
    for job_id in state.queue.ended_before(int((time.time() - state.service.max_result_age_s) * 1000)):
        try:
            erase_study(state, job_id)
        except OSError:
            # Without keys the whole id is the key to a result.
            logger.exception("what is left of job %.8s... was not removed", job_id)
    state.results.prune()


def erase_study(state: Any, job_id: str) -> None:
    """Remove all that is kept of a study whose job has ended: what was sent, its result and its job.

    A kill or a fault in between leaves the job, so that it can be asked again.

    Raises:
        OSError: When a file can't be removed.
    """
    state.intake.drop(job_id, surely=True)
    state.results.drop(job_id, surely=True)
    state.queue.erase(job_id)
