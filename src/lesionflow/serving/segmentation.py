"""What a worker thread does with a received study: find out what it is, segment it, keep the result."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lesionflow.errors import InputError
from lesionflow.prediction.writers import WRITERS
from lesionflow.serving.engine import Engine
from lesionflow.serving.metrics import ServiceMetrics
from lesionflow.serving.problems import RequestRefusedError
from lesionflow.serving.uploads.multipart import Part
from lesionflow.serving.uploads.sources import study_source


def segment_parts(state: Any, parts: list[Part], folder: Path, channels: tuple[str, ...], name: str) -> dict[str, Any]:
    """Turn received parts into a kept result; runs in a worker thread."""
    metrics: ServiceMetrics = state.metrics
    metrics.received_bytes.inc(sum(part.path.stat().st_size for part in parts))
    unpacked = folder / "study"
    unpacked.mkdir()
    began = time.perf_counter()
    try:
        source = study_source(parts, unpacked, channels, state.service)
        formats = (name,) if name in WRITERS else _all_formats(is_dicom=isinstance(source, Path))
        report = state.results.put(lambda result_id, path: _fill(state.engine, source, result_id, path, formats))
    except InputError as error:
        metrics.studies.labels(error.reason).inc()
        # Where the upload lay on the server is nobody's business.
        raise type(error)(str(error).replace(str(folder), "(upload)"), reason=error.reason) from error
    except RequestRefusedError as error:
        metrics.studies.labels(error.code).inc()
        raise
    except Exception:
        metrics.studies.labels("internal_error").inc()
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
