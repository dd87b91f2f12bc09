"""`python -m lesionflow.serving.children.child FD`: holds one model and computes one study at a time, asked by JSON over a socket.

It ends when whoever started it does, and is killed for work that must end.
"""

import faulthandler
import gc
import json
import logging
import os
import queue
import signal
import sys
import threading
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from lesionflow.config.control_groups import memory_budget_mb
from lesionflow.machine.process_memory import be_killed_first
from lesionflow.machine.threads import limit_library_threads
from lesionflow.serving.children.failures import StoppedError, failure_of_error
from lesionflow.serving.log.safe_lines import write_safe_lines
from lesionflow.serving.settings import ServiceSettings
from lesionflow.serving.uploads.multipart import Part


class Child:
    """What answers.

    Args:
        connection: To whoever asks.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._asked: queue.Queue[dict[str, Any]] = queue.Queue()
        self._stopped = -1
        self._model: Any = None
        self._segmenter: Any = None

    def serve(self) -> None:
        """Answer until the other side is gone."""
        threading.Thread(target=self._listen, name="listen", daemon=True).start()
        # Seconds of imports, while the model is still fetched.
        import lesionflow.inference.golden
        import lesionflow.prediction.study  # noqa: F401

        while True:
            order = self._asked.get()
            try:
                answer = {"done": self._load(order) if order["do"] == "load" else self._segment(order)}
            except Exception as error:  # noqa: BLE001 - told to whoever asked
                answer = {"failed": failure_of_error(error)}
            self._connection.send_bytes(json.dumps(answer).encode())

    def _listen(self) -> None:
        while True:
            try:
                order = json.loads(self._connection.recv_bytes())
            except (EOFError, OSError):
                end_group()
                return
            if order["do"] == "stop":
                self._stopped = order["number"]
            else:
                self._asked.put(order)

    def _load(self, order: dict[str, Any]) -> dict[str, Any]:
        from lesionflow.inference import Segmenter
        from lesionflow.inference.golden import require_golden
        from lesionflow.prediction.served_model import load_kept

        model = load_kept(Path(order["folder"]), order["name"], order["version"], order["bundle_digest"])
        memory_mb = order["memory_mb"] or memory_budget_mb()
        segmenter = Segmenter(model.bundle, device=order["device"], memory_mb=memory_mb)
        golden = require_golden(segmenter, model.bundle, f"{model.name} version {model.version}")
        self._model, self._segmenter = model, segmenter
        # What is loaded stays: looking through all of it for garbage takes a fifth of a second, again and again.
        gc.collect()
        gc.freeze()
        return {"n_golden": golden.n_cases}

    def _segment(self, order: dict[str, Any]) -> dict[str, Any]:
        from lesionflow.serving.generations.study_work import segment_parts

        def progress(done: int, total: int) -> None:
            del done, total
            if self._stopped == order["number"]:
                raise StoppedError("stopped between two parts of the study")

        parts = [Part(name, Path(path)) for name, path in order["parts"]]
        limits = ServiceSettings(max_unpacked_mb=order["max_unpacked_mb"], max_files=order["max_files"])
        return segment_parts(
            self._model, self._segmenter, parts, Path(order["into"]), order["format"], limits, progress=progress
        )


def end_group() -> None:
    """End this process now, and the programs that it started, where it leads a group of its own."""
    if os.getpid() == os.getpgrp():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def main(descriptor: int) -> None:
    """Serve one connection."""
    faulthandler.enable()
    # Who stops the service signals its descendants too: a study in work goes on while the service drains, and ends with it at the latest.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    be_killed_first()
    limit_library_threads()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    write_safe_lines()
    Child(Connection(descriptor)).serve()


if __name__ == "__main__":
    main(int(sys.argv[1]))
