"""What a worker thread does with an accepted study: find out what it is, segment it, keep the result."""

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lesionflow.errors import InputError
from lesionflow.jobs.job import Job, JobState
from lesionflow.jobs.workers import JobEnd
from lesionflow.machine.faults import machine_fault
from lesionflow.prediction.writers import WRITERS
from lesionflow.serving.engine import Engine
from lesionflow.serving.problems import RequestRefusedError, problem_of
from lesionflow.serving.prometheus_metrics import ServiceMetrics
from lesionflow.serving.uploads.multipart import Part
from lesionflow.serving.uploads.sources import study_source


def work_on(state: Any, job: Job) -> JobEnd:
    """Do a job; what fails is told as a client is told it.

    Args:
        state: The application's.
        job: An accepted study.

    Returns:
        `DONE` with nothing further, as its result has the job's id, or `FAILED` with `error`: status, code and detail.
    """
    try:
        with tempfile.TemporaryDirectory(dir=state.scratch) as folder:
            parts = state.intake.parts(job, Path(folder))
            segment_parts(state, parts, Path(folder), job.id, job.order["format"])
    except Exception as error:  # noqa: BLE001 - told to the client by its name, in the log with its trace
        status, code, detail, _ = problem_of(error)
        return JobEnd(JobState.FAILED, {"error": {"status": status, "code": code, "detail": detail}})
    return JobEnd(JobState.DONE, {})


def segment_parts(state: Any, parts: list[Part], folder: Path, result_id: str, name: str) -> dict[str, Any]:
    """Turn received parts into a kept result.

    Args:
        state: The application's.
        parts: What was sent.
        folder: Where it lies, to work in.
        result_id: 32 hexadecimal digits.
        name: A key of `ANSWERS`.

    Returns:
        The report.

    Raises:
        InputError: As the readers; no path of the server's is in it.
        RequestRefusedError: As `study_source`.
    """
    metrics: ServiceMetrics = state.metrics
    metrics.received_bytes.inc(sum(part.path.stat().st_size for part in parts))
    unpacked = folder / "study"
    unpacked.mkdir()
    began = time.perf_counter()
    try:
        channels = tuple(state.engine.model.bundle.plan.dataset.channels)
        source = study_source(parts, unpacked, channels, state.service)
        formats = (name,) if name in WRITERS else _all_formats(is_dicom=isinstance(source, Path))
        report = state.results.put(result_id, lambda path: _fill(state.engine, source, result_id, path, formats))
    except InputError as error:
        metrics.studies.labels(error.reason).inc()
        # Where the upload lay on the server is nobody's business.
        raise type(error)(str(error).replace(str(folder), "(upload)"), reason=error.reason) from error
    except RequestRefusedError as error:
        metrics.studies.labels(error.code).inc()
        raise
    except Exception as error:
        fault = machine_fault(error)
        metrics.studies.labels(fault.code if fault else "internal_error").inc()
        raise
    metrics.studies.labels("segmented").inc()
    metrics.empty_masks.inc(all(target["volume_ml"] == 0 for target in report["targets"]))
    metrics.seconds.observe(time.perf_counter() - began)
    return report


def _all_formats(*, is_dicom: bool) -> tuple[str, ...]:
    return tuple(name for name, writer in WRITERS.items() if is_dicom or not writer.needs_dicom)


def _fill(
    engine: Engine, source: Path | Mapping[str, Path], result_id: str, folder: Path, formats: tuple[str, ...]
) -> dict[str, Any]:
    report = engine.segment(source, folder, formats)
    base = f"/v1/results/{result_id}"
    links = {"report": f"{base}/report", "masks": {name: f"{base}/mask?format={name}" for name in formats}}
    return {"id": result_id, "links": links, **report}
