"""Another program, started once and asked by lines of JSON, with a limit for each answer; it ends with who asks."""

import json
import os
import select
import subprocess
import time
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lesionflow.errors import MachineError, ServiceError

#: What of our environment the program gets: no password, and none of our own packages.
PASSED_ON = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "OMP_NUM_THREADS",
    "LESIONFLOW_TEST_FOREIGN",
)
PASSED_PREFIXES = ("CUDA_", "NVIDIA_", "nnUNet_")
LOG = "program.log"
#: So much of what it said last stands in an error.
LONGEST_SAID = 400


class Conversation:
    """A running program.

    Args:
        command: What to start.
        folder: Where it runs and leaves its log.
        name: What to call it in messages.
        timeout_s: The longest that an answer may take, the start included.

    Raises:
        ServiceError: When it can't be started, or says that it can't go on.
        MachineError: `timed_out` when it says nothing.
    """

    def __init__(self, command: Sequence[str], folder: Path, *, name: str, timeout_s: float) -> None:
        self.name, self.timeout_s, self._folder, self._rest = name, timeout_s, folder, b""
        environment = {
            key: value for key, value in os.environ.items() if key in PASSED_ON or key.startswith(PASSED_PREFIXES)
        }
        try:
            with (folder / LOG).open("wb") as log:
                self._process = subprocess.Popen(  # noqa: S603 - the program that whoever set up this machine named
                    list(command),
                    cwd=folder,
                    env=environment,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                )
        except OSError as error:
            raise ServiceError(
                f"Expected to start {name} by {Path(command[0]).name}, found: {error.strerror}. Name its Python in LESIONFLOW_NNUNET_PYTHON."
            ) from error
        self._end = weakref.finalize(self, _end, self._process)
        self.hello = self._listen("start")

    def ask(self, question: Mapping[str, Any], *, about: str) -> dict[str, Any]:
        """Return the answer to a question.

        Args:
            question: Plain values.
            about: Which case, for messages.

        Raises:
            ServiceError: When the program ended, or says that it failed.
            MachineError: `timed_out` when the answer takes too long; the program is ended.
        """
        try:
            self._stdin.write(json.dumps(question).encode() + b"\n")
            self._stdin.flush()
        except (OSError, ValueError) as error:
            # The pipe is broken, or closed here after an end that was told.
            raise self._ended(about) from error
        return self._listen(about)

    def close(self) -> None:
        """End the program."""
        self._end()

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    @property
    def _stdin(self) -> Any:
        return self._process.stdin

    def _listen(self, about: str) -> dict[str, Any]:
        line = self._line(about)
        try:
            answer = json.loads(line)
        except ValueError as error:
            self.close()
            raise ServiceError(f"Expected a line of JSON from {self.name} ({about}), found something else.") from error
        if "error" in answer:
            raise ServiceError(
                f"Expected {self.name} to answer ({about}), found that it failed: {str(answer['error'])[:LONGEST_SAID]}. Try the model "
                "with nnU-Net's own `nnUNetv2_predict_from_modelfolder`."
            )
        return dict(answer)

    def _line(self, about: str) -> bytes:
        stdout: Any = self._process.stdout
        until = time.monotonic() + self.timeout_s
        while b"\n" not in self._rest:
            left = until - time.monotonic()
            if left <= 0 or not select.select([stdout], [], [], left)[0]:
                self.close()
                raise MachineError(
                    f"Expected an answer of {self.name} ({about}) within {self.timeout_s:g} s, found none; it was ended. Give it more time by "
                    "LESIONFLOW_NNUNET_TIMEOUT_S, or a GPU.",
                    code="timed_out",
                )
            got = os.read(stdout.fileno(), 1 << 16)
            if not got:
                raise self._ended(about)
            self._rest += got
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def _ended(self, about: str) -> ServiceError:
        self.close()
        said = (self._folder / LOG).read_text(encoding="utf-8", errors="replace").strip()[-LONGEST_SAID:]
        last = said.replace(str(self._folder), "").splitlines()[-1:] or ["nothing"]
        return ServiceError(
            f"Expected {self.name} to answer ({about}), found that it ended with code {self._process.returncode}; it said last: {last[0]}. "
            "Is its environment whole, and memory enough?"
        )


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except OSError:
                continue
