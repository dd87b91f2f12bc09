"""From a request to an accepted job: a study is received, put where a kill leaves it, and written into the database; only then is the client told."""

import contextlib
import hashlib
import math
import os
import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from anyio import to_thread
from starlette.requests import Request

from lesionflow.io.files import sha256_file
from lesionflow.jobs.job import Job
from lesionflow.jobs.queue import JobQueue
from lesionflow.serving.problems import RequestRefusedError
from lesionflow.serving.settings import ServiceSettings
from lesionflow.serving.uploads.multipart import Part, receive_parts

#: What a study is taken to need before one was finished, in s.
UNKNOWN_SECONDS = 30.0
MAX_RETRY_AFTER_S = 3600
#: When one of many uploads should be through.
UPLOAD_RETRY_S = 5
#: An upload or a folder without a job that is older is what a kill left; none takes so long to receive.
ABANDONED_S = 6 * 3600.0
MAX_KEY_LENGTH = 255


class AskedModel(NamedTuple):
    """The model that a request names.

    Args:
        text: As it stands there: `NAME` or `NAME/VERSION`.
        further: Its name, of a model beside the main one; None: it is the main one.
    """

    text: str
    further: str | None


class Intake:
    """Takes studies in.

    Args:
        folder: Accepted studies wait here, a folder each; `incoming` holds what is being received.
        queue: The line.
        service: Limits.
    """

    def __init__(self, folder: Path, queue: JobQueue, service: ServiceSettings) -> None:
        self._incoming, self._accepted = folder / "incoming", folder / "accepted"
        self._queue, self._service = queue, service
        self._n_receiving, self._lock = 0, threading.Lock()
        for each in (self._incoming, self._accepted):
            each.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._remove_abandoned()

    @property
    def n_taken(self) -> int:
        """Studies that are received, wait or are segmented."""
        return self._n_receiving + self._queue.n_open()

    async def accept(
        self,
        request: Request,
        output_format: str,
        capacity: int,
        owner: str | None = None,
        model: AskedModel | None = None,
    ) -> Job:
        """Receive a study and put it into the line.

        Args:
            request: A multipart request; its header `Idempotency-Key` makes a request that is sent again the same job.
            output_format: What is asked for, a key of `ANSWERS`.
            capacity: Most studies received, waiting and segmented; beyond, this one is refused before its body is read.
            owner: Whose job it will be.
            model: Which model is to do it; None where none was named: the main one.

        Returns:
            The job, on disk and in the database.

        Raises:
            RequestRefusedError: 429 `overloaded` with `Retry-After`; 400 `invalid_idempotency_key`; 422 `idempotency_key_reused` when
                another study came under that key; as `receive_parts`.
        """
        key = request.headers.get("idempotency-key")
        if key is not None and not (0 < len(key) <= MAX_KEY_LENGTH and key.isascii() and key.isprintable()):
            message = f"Expected an Idempotency-Key of 1 to {MAX_KEY_LENGTH} printable ASCII characters, found another."
            raise RequestRefusedError(message, status=400, code="invalid_idempotency_key")
        with self._place(await to_thread.run_sync(self._queue.n_open), capacity):
            folder = Path(tempfile.mkdtemp(dir=self._incoming))
            try:
                parts = await receive_parts(
                    request.headers, request.stream(), folder, max_mb=self._service.max_upload_mb,
                    max_parts=self._service.max_files, least_kb_s=self._service.least_upload_kb_s,
                )  # fmt: skip
                return await to_thread.run_sync(self._submit, folder, parts, output_format, key, owner, model)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise

    def parts(self, job: Job, folder: Path) -> list[Part]:
        """Return an accepted study's parts, linked into a folder: what is done with them there can be done again.

        Args:
            job: The job.
            folder: An empty folder.
        """
        linked = []
        for name, file_name in job.order["parts"]:
            source, target = self._accepted / job.id / file_name, folder / file_name
            try:
                os.link(source, target)
            except OSError:
                shutil.copyfile(source, target)
            linked.append(Part(name, target))
        return linked

    def drop(self, job_id: str, *, surely: bool = False) -> None:
        """Remove the study of a job that ended.

        Raises:
            OSError: When it can't be removed, and must surely be.
        """
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self._accepted / job_id, ignore_errors=not surely)

    def retry_after_s(self, n_before: int) -> int:
        """Return when a place should be free, in s, by how long the last studies took."""
        each = self._queue.seconds_each() or UNKNOWN_SECONDS
        return max(1, min(MAX_RETRY_AFTER_S, math.ceil(each * max(1, n_before) / self._service.max_concurrent)))

    def _submit(
        self, folder: Path, parts: list[Part], output_format: str, key: str | None, owner: str | None, model: AskedModel | None
    ) -> Job:  # fmt: skip
        job_id = uuid.uuid4().hex
        digest = hashlib.sha256((output_format if model is None else f"{output_format}?model={model.text}").encode())
        for part in parts:
            digest.update(f"\0{part.name}\0{sha256_file(part.path)}".encode())
            _to_disk(part.path)
        _to_disk(folder)
        folder.rename(self._accepted / job_id)
        _to_disk(self._accepted)
        order = {"parts": [(part.name, part.path.name) for part in parts], "format": output_format}
        further = None
        if model is not None:
            order, further = order | {"model": model.text}, model.further
        try:
            made = self._queue.submit(
                order, digest.hexdigest(), job_id=job_id, idempotency_key=key, owner=owner, model=further
            )
        except BaseException:
            self.drop(job_id)
            raise
        if not made.is_new:
            self.drop(job_id)
        if not made.same_request:
            message = "Expected the study that came under this Idempotency-Key before, found another. Draw a new key for each study."
            raise RequestRefusedError(message, status=422, code="idempotency_key_reused")
        return made.job

    @contextmanager
    def _place(self, n_open: int, capacity: int) -> Iterator[None]:
        with self._lock:
            n_taken = n_open + self._n_receiving
            if n_taken >= capacity:
                after = self.retry_after_s(n_taken - capacity + 1)
                raise RequestRefusedError(
                    f"Expected a free place in the line, found {n_taken} studies in it. Try again in {after} s.",
                    status=429, code="overloaded", headers={"Retry-After": str(after)},
                )  # fmt: skip
            if self._n_receiving >= self._service.max_uploads:
                after = UPLOAD_RETRY_S
                message = f"Expected at most {self._service.max_uploads} uploads at once, found as many. Try again in {after} s."
                raise RequestRefusedError(message, status=429, code="overloaded", headers={"Retry-After": str(after)})
            self._n_receiving += 1
        try:
            yield
        finally:
            with self._lock:
                self._n_receiving -= 1

    def _remove_abandoned(self) -> None:
        oldest = time.time() - ABANDONED_S
        for folder in (*self._incoming.iterdir(), *self._accepted.iterdir()):
            if folder.stat().st_mtime < oldest and self._queue.get(folder.name) is None:
                shutil.rmtree(folder, ignore_errors=True)


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
