"""What a worker thread does with an accepted study: have it segmented by the model that serves, keep the result, count what came of it."""

import tempfile
import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from lesionflow.errors import InputError
from lesionflow.jobs.job import Job, JobState
from lesionflow.jobs.workers import JobEnd
from lesionflow.machine.faults import machine_fault
from lesionflow.serving.accepted.stages import prefix_of
from lesionflow.serving.children.failures import StoppedError
from lesionflow.serving.children.model_process import Terms
from lesionflow.serving.generations.generation import Generation
from lesionflow.serving.problems import RequestRefusedError, problem_of
from lesionflow.serving.prometheus_metrics import ServiceMetrics


def work_on(state: Any, job: Job, halt: threading.Event) -> JobEnd:
    """Do a job; what fails is told as a client is told it.

    Args:
        state: The application's.
        job: An accepted study.
        halt: Set when nobody wants it any more.

    Returns:
        `DONE` with nothing further, as its result has the job's id; `FAILED` with `error`: status, code and detail; `CANCELLED` when it was halted.
    """
    metrics: ServiceMetrics = state.metrics
    began, numbers, seconds = time.perf_counter(), count(), state.service.deadline_s
    terms = Terms(halt, seconds, time.monotonic() + seconds)
    try:
        report = state.roster.do(
            job.order.get("model"), lambda generation: _segment(state, job, generation, terms, numbers)
        )
    except StoppedError:
        metrics.studies.labels("cancelled").inc()
        return JobEnd(JobState.CANCELLED, {})
    except Exception as error:  # noqa: BLE001 - told to the client by its name, in the log with its trace
        metrics.studies.labels(_outcome(error)).inc()
        status, code, detail, _ = problem_of(error)
        return JobEnd(JobState.FAILED, {"error": {"status": status, "code": code, "detail": detail}})
    metrics.studies.labels("segmented").inc()
    metrics.empty_masks.inc(all(target["volume_ml"] == 0 for target in report["targets"]))
    metrics.seconds.observe(time.perf_counter() - began)
    return JobEnd(JobState.DONE, {})


def _segment(state: Any, job: Job, generation: Generation, terms: Terms, numbers: Iterator[int]) -> dict[str, Any]:
    """Turn a study into a kept result by one model; done again by another, it begins with what was sent."""
    with tempfile.TemporaryDirectory(dir=state.scratch, prefix=prefix_of(job.id)) as folder:
        parts = state.intake.parts(job, Path(folder))
        if next(numbers) == 0:
            state.metrics.received_bytes.inc(sum(part.path.stat().st_size for part in parts))

        def fill(into: Path) -> dict[str, Any]:
            report = generation.segment(parts, into, job.order["format"], terms)
            base = f"/v1/results/{job.id}"
            masks = {name: f"{base}/mask?format={name}" for name in report.pop("formats")}
            return {"id": job.id, "links": {"report": f"{base}/report", "masks": masks}, **report}

        try:
            report: dict[str, Any] = state.results.put(job.id, fill)
        except InputError as error:
            # Where the upload lay on the server is nobody's business.
            raise type(error)(str(error).replace(folder, "(upload)"), reason=error.reason) from error
    return report


def _outcome(error: Exception) -> str:
    """Return what a study that failed counts as: the code that its client is told, where it tells of the study or the machine."""
    if isinstance(error, InputError):
        return error.reason
    if isinstance(error, RequestRefusedError):
        return error.code
    fault = machine_fault(error)
    return fault.code if fault else "internal_error"
