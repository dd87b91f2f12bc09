"""The receiver as one process: it receives, orders and stores back until it is told to stop."""

import fcntl
import logging
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from lesionflow.errors import ConfigError
from lesionflow.machine.faults import machine_fault
from lesionflow.pacs.line import Line
from lesionflow.pacs.network_config import NetworkConfig
from lesionflow.pacs.orders import OrderBook
from lesionflow.pacs.reception import Reception, is_listening
from lesionflow.pacs.spool import Spool

STEP_S = 0.2
DAY_S = 86_400.0
logger = logging.getLogger(__name__)


def listen_until_stopped(config: NetworkConfig) -> None:
    """Receive studies, have them segmented and store the results, until SIGTERM or Ctrl-C.

    Args:
        config: The whole file.

    Raises:
        ConfigError: When another receiver uses the same spool, or nobody may send.
    """
    if not config.peers:
        raise ConfigError("Expected peers that may send, found none. Name at least one under `peers`.")
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    with alone(config):
        book = OrderBook(config.spool / "orders")
        book.clear()
        spool, line = Spool(config, book), Line(config, book)
        reception = Reception(config, spool)
        reception.start()
        logger.info("listening as %s", is_listening(config.listen))
        try:
            while not stopped.wait(STEP_S):
                _turn(spool, line, book, config)
        finally:
            reception.stop()


def _turn(spool: Spool, line: Line, book: OrderBook, config: NetworkConfig) -> None:
    """Do all that is due; a machine that fails for a while, by a full disk above all, is waited for."""
    try:
        spool.settle()
        line.work()
        book.forget(time.time() - config.remember_days * DAY_S)
    except OSError as error:
        if machine_fault(error) is None:
            raise
        logger.exception("the machine failed; tried again")


@contextmanager
def alone(config: NetworkConfig) -> Iterator[None]:
    """Hold the spool for one process.

    Raises:
        ConfigError: When another one has it.
    """
    config.spool.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (config.spool / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(
                f"Expected a spool of one receiver, found that another runs on {config.spool.name}."
            ) from error
        yield
