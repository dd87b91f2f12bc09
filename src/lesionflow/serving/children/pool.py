"""The children that hold one model: one a study at a time, and another in place of each that was ended."""

import logging
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lesionflow.machine.error_words import kind_in_words
from lesionflow.serving.children.model_process import LOOK_S, ModelProcess, Terms

#: Pause before a child that can't be started is tried again.
RETRY_S = 5.0
#: How often it is seen whether one died that nobody uses.
MEND_S = 1.0
logger = logging.getLogger(__name__)


class Pool:
    """Children that are alike.

    Args:
        make: Starts one and has it load the model.
        first: Those that are there already.
    """

    def __init__(self, make: Callable[[], ModelProcess], first: list[ModelProcess]) -> None:
        self._make, self._closed, self._lock = make, threading.Event(), threading.Lock()
        self._free: queue.Queue[ModelProcess] = queue.Queue()
        self._all: set[ModelProcess] = set()
        self._trouble = ""
        for process in first:
            self._add(process)
        threading.Thread(target=self._mend, name="mend-children", daemon=True).start()

    @property
    def trouble(self) -> str:
        """Why the last attempt to start one failed; empty when it did not."""
        return self._trouble

    @property
    def n_alive(self) -> int:
        """How many can be asked, or are working."""
        with self._lock:
            return sum(process.is_alive for process in self._all)

    @contextmanager
    def one(self, terms: Terms) -> Iterator[ModelProcess]:
        """Give a child for a study; one that died of it is replaced behind the scenes.

        Yields:
            The child, which nobody else uses meanwhile.

        Raises:
            Exception: As `Terms.reason_to_end`, when none is free in time.
        """
        process = self._take(terms)
        try:
            yield process
        finally:
            if process.is_alive and not self._closed.is_set():
                self._free.put(process)
            else:
                self._replace(process)

    def close(self) -> None:
        """End all."""
        self._closed.set()
        with self._lock:
            for process in self._all:
                process.kill()
            self._all.clear()

    def _take(self, terms: Terms) -> ModelProcess:
        while True:
            if (reason := terms.reason_to_end()) is not None:
                raise reason
            try:
                process = self._free.get(timeout=LOOK_S)
            except queue.Empty:
                continue
            if process.is_alive:
                return process
            self._replace(process)

    def _mend(self) -> None:
        """Replace what dies while nobody uses it."""
        while not self._closed.wait(MEND_S):
            for _ in range(self._free.qsize()):
                try:
                    process = self._free.get_nowait()
                except queue.Empty:
                    break
                if process.is_alive:
                    self._free.put(process)
                else:
                    logger.warning("a process that held the model died while it waited; another is started")
                    self._replace(process)

    def _add(self, process: ModelProcess) -> None:
        with self._lock:
            if self._closed.is_set():
                process.kill()
                return
            self._all.add(process)
        self._free.put(process)

    def _replace(self, process: ModelProcess) -> None:
        process.kill()
        with self._lock:
            self._all.discard(process)
        if not self._closed.is_set():
            threading.Thread(target=self._make_until_it_works, name="start-child", daemon=True).start()

    def _make_until_it_works(self) -> None:
        while not self._closed.is_set():
            try:
                self._add(self._make())
            except Exception as error:
                self._trouble = kind_in_words(error)
                # Whatever the cause, studies wait until one can be had.
                logger.exception("no process could be started to compute studies; trying again in %.0f s", RETRY_S)
                self._closed.wait(RETRY_S)
            else:
                self._trouble = ""
                return
