"""The two clients, one that waits and one for asyncio: what they say is in `exchanges`, so neither can do what the other does not."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack
from typing import Any, Literal, Self, overload

import httpx

from lesionflow.client import exchanges
from lesionflow.client.client_errors import UnansweredError, error_of_problem
from lesionflow.client.event_stream import EventLines
from lesionflow.client.exchanges import Ask, Exchange, Reply, Rest, Unanswered
from lesionflow.client.remote_job import FetchedMask, FetchedReport, JobEvent, RemoteJob
from lesionflow.client.study_upload import StudyFiles, opened_parts

KEY = "LESIONFLOW_API_KEY"
#: A request may wait for a job's end on top of this.
CONNECT_S, READ_S = 10.0, 60.0
#: How long a client comes again to a service that is busy or away.
PATIENCE_S = 120.0
#: How long a job is waited for.
TIMEOUT_S = 3600.0
NO_EVENTS = 204


class _Settings:
    """Where, with which key, and how patiently.

    Args:
        address: Of the service, as `https://lesions.example.org`.
        key: An API key; without, what `LESIONFLOW_API_KEY` holds, if anything.
        patience_s: How long to come again in all, for each request, while the service is busy or away.
    """

    def __init__(self, address: str, *, key: str | None = None, patience_s: float = PATIENCE_S) -> None:
        token = os.environ.get(KEY) if key is None else key
        self._patience_s = patience_s
        self._options: dict[str, Any] = {
            "base_url": address,
            "headers": {"Authorization": f"Bearer {token}"} if token else {},
            "timeout": httpx.Timeout(READ_S, connect=CONNECT_S),
        }


class Client(_Settings):
    """Asks the service and waits; used as a context, by one thread at a time. Arguments and errors are those of `exchanges`."""

    def __enter__(self) -> Self:
        self._http = httpx.Client(**self._options)
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def submit(
        self, study: StudyFiles, *, output_format: str = "json", model: str | None = None, idempotency_key: str | None = None
    ) -> RemoteJob:  # fmt: skip
        """Hand a study in, for the model `NAME` or `NAME/VERSION` where one is named; sent again while the service is busy, it stays one job."""
        return self._talk(exchanges.submit(study, output_format, model, idempotency_key, self._patience_s))

    def wait(self, job_id: str, *, timeout_s: float = TIMEOUT_S) -> RemoteJob:
        """Wait until a job is done; raise why it failed."""
        return self._talk(exchanges.wait(job_id, timeout_s, self._patience_s))

    def segment(
        self, study: StudyFiles, *, output_format: str = "dicom-seg", model: str | None = None, idempotency_key: str | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> FetchedMask:  # fmt: skip
        """Hand a study in, wait, and fetch its mask."""
        return self._talk(
            exchanges.segment_there(study, output_format, model, idempotency_key, timeout_s, self._patience_s)
        )

    def mask(self, job_id: str, output_format: str = "dicom-seg") -> FetchedMask:
        """Fetch a mask of a job that is done, in a format that was made."""
        return self._talk(exchanges.fetch_mask(job_id, output_format, self._patience_s))

    @overload
    def report(self, job_id: str, output_format: Literal["json"] = "json") -> Mapping[str, Any]: ...

    @overload
    def report(self, job_id: str, output_format: Literal["html", "pdf", "fhir"]) -> FetchedReport: ...

    def report(self, job_id: str, output_format: str = "json") -> Mapping[str, Any] | FetchedReport:
        """Fetch the report of a job that is done: what it holds, or as `html`, `pdf` or `fhir` a file to save."""
        return self._talk(exchanges.fetch_report(job_id, output_format, self._patience_s))

    def job(self, job_id: str) -> RemoteJob:
        """Say where a job stands."""
        return self._talk(exchanges.job_told(Ask("GET", f"/v1/jobs/{job_id}"), self._patience_s))

    def jobs(self) -> tuple[RemoteJob, ...]:
        """List the jobs of one's own key, newest first."""
        return self._talk(exchanges.jobs_told(self._patience_s))

    def cancel(self, job_id: str) -> RemoteJob:
        """Cancel a job."""
        return self._talk(exchanges.job_told(Ask("DELETE", f"/v1/jobs/{job_id}"), self._patience_s))

    def erase(self, job_id: str) -> None:
        """Have a study that ended removed, with its result and its job."""
        self._talk(exchanges.erase(job_id, self._patience_s))

    def model(self) -> Mapping[str, Any]:
        """Say what is served."""
        return self._talk(exchanges.as_told(Ask("GET", "/v1/model"), self._patience_s))

    def models(self) -> tuple[Mapping[str, Any], ...]:
        """List all that is served, the main model first."""
        return self._talk(exchanges.models_told(self._patience_s))

    def events(self, job_id: str) -> Iterator[JobEvent]:
        """Yield where a job stands as it changes, until its end; a stream that ends before is asked for again where it ended."""
        lines, ended = EventLines(), False
        while not ended:
            headers = {"Last-Event-ID": lines.last_id} if lines.last_id else {}
            try:
                with self._http.stream("GET", f"/v1/jobs/{job_id}/events", headers=headers) as answer:
                    if answer.status_code == NO_EVENTS:
                        return
                    _require(answer, answer.read() if not answer.is_success else b"")
                    for line in answer.iter_lines():
                        for event in lines.take(line):
                            ended = event.is_end
                            yield event
            except httpx.TransportError as error:
                raise UnansweredError(
                    f"Expected events of job {job_id}, found the connection ended: {error}."
                ) from error

    def _talk(self, talk: Exchange) -> Any:
        reply: Reply = None
        while True:
            try:
                step = talk.send(reply)
            except StopIteration as end:
                return end.value
            if isinstance(step, Rest):
                time.sleep(step.seconds)
                reply = None
                continue
            try:
                reply = self._send(step)
            except httpx.TransportError as error:
                reply = Unanswered(f"{type(error).__name__} {error}")

    def _send(self, request: Ask) -> httpx.Response:
        given: dict[str, Any] = {"params": dict(request.params), "headers": dict(request.headers)}
        if request.study is None:
            return self._http.request(request.method, request.path, **given)
        with opened_parts(request.study) as parts:
            return self._http.request(request.method, request.path, files=parts, **given)


class AsyncClient(_Settings):
    """Asks the service in an event loop; used as an asynchronous context. Arguments and errors are those of `exchanges`."""

    async def __aenter__(self) -> Self:
        self._http = httpx.AsyncClient(**self._options)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def submit(
        self, study: StudyFiles, *, output_format: str = "json", model: str | None = None, idempotency_key: str | None = None
    ) -> RemoteJob:  # fmt: skip
        """Hand a study in, for the model `NAME` or `NAME/VERSION` where one is named; sent again while the service is busy, it stays one job."""
        return await self._talk(exchanges.submit(study, output_format, model, idempotency_key, self._patience_s))

    async def wait(self, job_id: str, *, timeout_s: float = TIMEOUT_S) -> RemoteJob:
        """Wait until a job is done; raise why it failed."""
        return await self._talk(exchanges.wait(job_id, timeout_s, self._patience_s))

    async def segment(
        self, study: StudyFiles, *, output_format: str = "dicom-seg", model: str | None = None, idempotency_key: str | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> FetchedMask:  # fmt: skip
        """Hand a study in, wait, and fetch its mask."""
        return await self._talk(
            exchanges.segment_there(study, output_format, model, idempotency_key, timeout_s, self._patience_s)
        )

    async def mask(self, job_id: str, output_format: str = "dicom-seg") -> FetchedMask:
        """Fetch a mask of a job that is done, in a format that was made."""
        return await self._talk(exchanges.fetch_mask(job_id, output_format, self._patience_s))

    @overload
    async def report(self, job_id: str, output_format: Literal["json"] = "json") -> Mapping[str, Any]: ...

    @overload
    async def report(self, job_id: str, output_format: Literal["html", "pdf", "fhir"]) -> FetchedReport: ...

    async def report(self, job_id: str, output_format: str = "json") -> Mapping[str, Any] | FetchedReport:
        """Fetch the report of a job that is done: what it holds, or as `html`, `pdf` or `fhir` a file to save."""
        return await self._talk(exchanges.fetch_report(job_id, output_format, self._patience_s))

    async def job(self, job_id: str) -> RemoteJob:
        """Say where a job stands."""
        return await self._talk(exchanges.job_told(Ask("GET", f"/v1/jobs/{job_id}"), self._patience_s))

    async def jobs(self) -> tuple[RemoteJob, ...]:
        """List the jobs of one's own key, newest first."""
        return await self._talk(exchanges.jobs_told(self._patience_s))

    async def cancel(self, job_id: str) -> RemoteJob:
        """Cancel a job."""
        return await self._talk(exchanges.job_told(Ask("DELETE", f"/v1/jobs/{job_id}"), self._patience_s))

    async def erase(self, job_id: str) -> None:
        """Have a study that ended removed, with its result and its job."""
        await self._talk(exchanges.erase(job_id, self._patience_s))

    async def model(self) -> Mapping[str, Any]:
        """Say what is served."""
        return await self._talk(exchanges.as_told(Ask("GET", "/v1/model"), self._patience_s))

    async def models(self) -> tuple[Mapping[str, Any], ...]:
        """List all that is served, the main model first."""
        return await self._talk(exchanges.models_told(self._patience_s))

    async def events(self, job_id: str) -> AsyncIterator[JobEvent]:
        """Yield where a job stands as it changes, until its end; a stream that ends before is asked for again where it ended."""
        lines, ended = EventLines(), False
        while not ended:
            headers = {"Last-Event-ID": lines.last_id} if lines.last_id else {}
            try:
                async with self._http.stream("GET", f"/v1/jobs/{job_id}/events", headers=headers) as answer:
                    if answer.status_code == NO_EVENTS:
                        return
                    _require(answer, await answer.aread() if not answer.is_success else b"")
                    async for line in answer.aiter_lines():
                        for event in lines.take(line):
                            ended = event.is_end
                            yield event
            except httpx.TransportError as error:
                raise UnansweredError(
                    f"Expected events of job {job_id}, found the connection ended: {error}."
                ) from error

    async def _talk(self, talk: Exchange) -> Any:
        reply: Reply = None
        while True:
            try:
                step = talk.send(reply)
            except StopIteration as end:
                return end.value
            if isinstance(step, Rest):
                await asyncio.sleep(step.seconds)
                reply = None
                continue
            try:
                reply = await self._send(step)
            except httpx.TransportError as error:
                reply = Unanswered(f"{type(error).__name__} {error}")

    async def _send(self, request: Ask) -> httpx.Response:
        given: dict[str, Any] = {"params": dict(request.params), "headers": dict(request.headers)}
        if request.study is None:
            return await self._http.request(request.method, request.path, **given)
        with ExitStack() as stack:
            # A folder is made a zip there: seconds, in which the loop goes on.
            parts = await asyncio.to_thread(stack.enter_context, opened_parts(request.study))
            return await self._http.request(request.method, request.path, files=parts, **given)


def _require(answer: httpx.Response, content: bytes) -> None:
    if answer.is_success:
        return
    try:
        problem = answer.json() if content else {}
    except ValueError:
        problem = {}
    raise error_of_problem(problem, answer.status_code, answer.headers.get("x-request-id", ""))
