"""A child process that holds a model: started, given studies, and ended when one must not go on."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from lesionflow.errors import InputError, MachineError
from lesionflow.machine.process_memory import n_memory_kills, process_mb
from lesionflow.serving.children.failures import ChildDiedError, DeadlineError, StoppedError, error_of_failure

PROGRAM = "lesionflow.serving.children.child"
#: How often it is seen whether work must end.
LOOK_S = 0.1
#: How often memory is measured.
MEASURE_S = 0.5
#: How long a child that was told to stop has until its next part of a study; then it is killed.
GRACE_S = 0.5
#: A model that is not loaded by then never is.
LOAD_S = 900.0
#: What is told to be needed before a study begins is kept to a few percent.
MEMORY_SLACK = 1.1


@dataclass(frozen=True)
class Terms:
    """Until when work may go on.

    Args:
        halt: Set when nobody wants it any more.
        seconds: What it may take.
        until: When these are over, by `time.monotonic`.
    """

    halt: threading.Event = field(default_factory=threading.Event)
    seconds: float = LOAD_S
    until: float = field(default_factory=lambda: time.monotonic() + LOAD_S)

    def reason_to_end(self) -> Exception | None:
        """Return what to raise when work must not go on; None while it may."""
        if self.halt.is_set():
            return StoppedError("nobody wants it any more")
        return DeadlineError(self.seconds) if time.monotonic() > self.until else None


class ModelProcess:
    """A running child; used by one thread at a time.

    Args:
        memory_mb: What it may hold, and what it starts; None: no limit of ours.
    """

    def __init__(self, memory_mb: int | None = None) -> None:
        self._memory_mb, self._number, self._n_kills = memory_mb, 0, n_memory_kills()
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-m", PROGRAM, str(theirs.fileno())]
            # A group of its own, so that programs that it starts end with it.
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
            )  # fmt: skip
        self._connection = Connection(ours.detach())

    @property
    def pid(self) -> int:
        """The system's number of it."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def load(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Have it load a model and ask its golden cases.

        Args:
            order: `folder`, `name`, `version`, `bundle_digest`, `device`, `memory_mb`.

        Returns:
            `n_golden`.

        Raises:
            Exception: As `load_kept`, `Segmenter` and `require_golden`; as `segment`.
        """
        return self._ask({"do": "load", **order}, Terms())

    def segment(self, order: Mapping[str, Any], terms: Terms) -> dict[str, Any]:
        """Have it segment a study.

        Args:
            order: `parts`, `into`, `format`, `max_unpacked_mb`, `max_files`.
            terms: Until when it may.

        Returns:
            As `segment_parts`.

        Raises:
            StoppedError: When nobody wants it any more.
            DeadlineError: When it takes longer than it may.
            InputError: `memory_budget` when it takes more memory than it may.
            MachineError: `out_of_memory` when the system killed it for that.
            ChildDiedError: When it died otherwise.
            Exception: As `segment_parts`.
        """
        return self._ask({"do": "segment", **order}, terms)

    def kill(self) -> None:
        """End it now, and what it started."""
        if self.is_alive:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._connection.close()

    def _ask(self, order: Mapping[str, Any], terms: Terms) -> dict[str, Any]:
        self._number += 1
        try:
            self._connection.send_bytes(json.dumps({"number": self._number, **order}).encode())
            self._wait(terms)
            answer = json.loads(self._connection.recv_bytes())
        except (EOFError, OSError) as error:
            raise self._death() from error
        if "done" in answer:
            return dict(answer["done"])
        failure = error_of_failure(answer["failed"])
        raise (terms.reason_to_end() or failure) if isinstance(failure, StoppedError) else failure

    def _wait(self, terms: Terms) -> None:
        """Wait for an answer, or end the child when it must not go on."""
        told, measured = None, time.monotonic()
        while not self._connection.poll(LOOK_S):
            now = time.monotonic()
            if (reason := terms.reason_to_end()) is not None:
                if told is None:
                    told = now
                    self._connection.send_bytes(json.dumps({"do": "stop", "number": self._number}).encode())
                elif now - told > GRACE_S:
                    self.kill()
                    raise reason
            if self._memory_mb is not None and now - measured > MEASURE_S:
                measured = now
                self._require_memory(self._memory_mb)

    def _require_memory(self, memory_mb: int) -> None:
        if process_mb(self.pid) <= memory_mb * MEMORY_SLACK:
            return
        self.kill()
        raise InputError(
            f"Expected the study to be segmented within {memory_mb} MB of memory, found that it took more: it was ended. Send fewer slices, or ask the "
            "operator for a higher LESIONFLOW_MEMORY_MB.",
            reason="memory_budget",
        )

    def _death(self) -> Exception:
        """Return what to raise for a child that is gone."""
        self.kill()
        code = self._process.returncode
        if code == -signal.SIGKILL and n_memory_kills() > self._n_kills:
            message = "Expected memory enough for the study, found that the system killed the process that worked on it. Give the machine more, or send fewer slices."
            return MachineError(message, code="out_of_memory")
        how = signal.Signals(-code).name if code < 0 else f"code {code}"
        return ChildDiedError(how)
