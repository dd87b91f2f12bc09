"""What a client is told: jobs, events, masks. How it is asked for does not stand here."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class RemoteJob:
    """Where a study that was handed in stands.

    Args:
        id: Of the job, and of its result.
        state: `queued`, `running`, `done`, `failed` or `cancelled`.
        created: When it was accepted, by ISO 8601.
        n_before: Jobs before it in the line; None when it waits no more.
        error: Why it failed: `status`, `code`, `detail`.
    """

    id: str
    state: str
    created: str
    n_before: int | None
    error: Mapping[str, Any] | None

    @property
    def ended(self) -> bool:
        """Whether nothing will happen to it any more."""
        return self.state not in ("queued", "running")


@dataclass(frozen=True, slots=True)
class JobEvent:
    """A change of a job.

    Args:
        id: What the service calls it.
        stage: `queued`, `reading`, `segmenting`, `writing`, `running`; at the end the job's state.
        fraction: How much of the stage is done; None when nobody knows.
        seconds_left: Until the job's end; None when nobody knows.
        n_before: Jobs before it in the line; None when it waits no more.
        is_end: Whether it is the last.
    """

    id: str
    stage: str
    fraction: float | None
    seconds_left: float | None
    n_before: int | None
    is_end: bool


@dataclass(frozen=True, slots=True)
class FetchedMask:
    """A mask as the service wrote it.

    Args:
        content: The file's bytes.
        media_type: What it is.
        file_name: What the service calls it.
        model: Name and version of the model, as `name/version`.
        warnings: What to know before it is relied on.
    """

    content: bytes
    media_type: str
    file_name: str
    model: str
    warnings: tuple[str, ...]

    def save(self, path: Path) -> None:
        """Write it, whole or not at all: another name first, then its own."""
        partial = path.with_name(f".{path.name}.partial")
        partial.write_bytes(self.content)
        partial.replace(path)


class FetchedReport(FetchedMask):
    """A report as a document: a page, a PDF, a FHIR resource; no mask is in it but what a picture shows."""


def job_of(told: Mapping[str, Any]) -> RemoteJob:
    """Return a job from the service's words."""
    return RemoteJob(told["id"], told["state"], told["created"], told.get("n_before"), told.get("error"))


def event_of_stream(event_id: str, name: str, data: Mapping[str, Any]) -> JobEvent:
    """Return an event from the service's words."""
    stage = data["state"] if name == "end" else data["stage"]
    left = data.get("seconds_left")
    return JobEvent(event_id, stage, data.get("fraction"), left, data.get("n_before"), is_end=name == "end")
