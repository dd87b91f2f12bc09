"""Work on many cases at once: all cores, progress, and a failure that names its case."""

import logging
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import forkserver
from typing import TypeVar

from rich.console import Console
from rich.progress import track
from threadpoolctl import threadpool_limits

from lesionflow.errors import InputError, LesionFlowError

Item = TypeVar("Item")
Result = TypeVar("Result")

logger = logging.getLogger(__name__)


def prepare_workers(modules: Sequence[str], workers: int) -> None:
    """Let the server of worker processes load modules while this process does other work: they are then ready at once.

    Args:
        modules: Where the function for `map_cases` is, and what it loads when it is called.
        workers: Processes; with one there is nothing to prepare.
    """
    if workers > 1:
        forkserver.set_forkserver_preload(list(modules))
        forkserver.ensure_running()


def map_cases(
    function: Callable[[Item], Result], items: Sequence[Item], *, name: Callable[[Item], str], workers: int, what: str
) -> Iterator[tuple[Item, Result | InputError]]:
    """Call a function for each case in worker processes, which begin at once; yield as each is done.

    Args:
        function: Picklable; an `InputError` that it raises is yielded in place of a result, others stop the step.
        items: One a case.
        name: The case id of an item.
        workers: Processes; with one, or one case, all runs in this process as results are asked for.
        what: A word for the progress line.

    Returns:
        The items and their results or `InputError`s, to be read to the end.

    Raises:
        LesionFlowError: While it is read, when a worker dies, with the cases that it may have been working on.
    """
    if workers == 1 or len(items) < 2:
        return _one_by_one(function, items, what)
    context = multiprocessing.get_context("forkserver")
    pool = ProcessPoolExecutor(min(workers, len(items)), mp_context=context, initializer=_use_one_thread)
    return _collect(pool, {pool.submit(_attempt, function, item): item for item in items}, name, what)


def _one_by_one(
    function: Callable[[Item], Result], items: Sequence[Item], what: str
) -> Iterator[tuple[Item, Result | InputError]]:
    for item in track(items, what, console=Console(stderr=True), disable=not items):
        yield item, _attempt(function, item)


def _collect(
    pool: ProcessPoolExecutor,
    futures: dict[Future[Result | InputError], Item],
    name: Callable[[Item], str],
    what: str,
) -> Iterator[tuple[Item, Result | InputError]]:
    with pool:
        for future in track(as_completed(futures), what, total=len(futures), console=Console(stderr=True)):
            try:
                yield futures[future], future.result()
            except BrokenProcessPool as error:
                unfinished = sorted(name(item) for f, item in futures.items() if not f.done() or f.exception())
                raise LesionFlowError(
                    f"A worker process died (out of memory?) while it worked on one of {', '.join(unfinished[:8])}. "
                    "Set LESIONFLOW_WORKERS=1 and run again: finished cases are kept."
                ) from error


def _use_one_thread() -> None:
    """Keep a worker's linear algebra, loaded by now or later, off the other workers' cores: its threads wait by spinning."""
    os.environ["OMP_NUM_THREADS"] = "1"
    threadpool_limits(1)


def _attempt(function: Callable[[Item], Result], item: Item) -> Result | InputError:
    try:
        return function(item)
    except InputError as error:
        return error
