"""What answers hold, as types: the report as `prediction` makes it, jobs, problems. Nothing answers by these; a test holds real answers against them."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from lesionflow.prediction.report import Report


class _Told(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ProblemAnswer(_Told):
    """Why a request was refused or failed (RFC 9457)."""

    type: str = Field(pattern="^urn:lesionflow:problem:")
    title: str
    status: int = Field(ge=400, le=599)
    code: str = Field(pattern="^[a-z0-9_]+$", description="Stable: match on this, never on words.")
    detail: str = Field(description="What was expected, what was found, and what to do.")


class JobFailure(_Told):
    """Why a job failed: what a client that waited would have been answered."""

    status: int
    code: str
    detail: str


class JobLinks(_Told):
    """Where a job and its result are."""

    self: str
    events: str | None = None
    report: str | None = None
    mask: str | None = None


class JobAnswer(_Told):
    """Where a job stands. A result has its job's id."""

    id: str = Field(pattern="^[0-9a-f]{32}$")
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    created: str
    n_before: int | None = Field(None, ge=0, description="Jobs before it in the line, while it is queued.")
    started: str | None = None
    ended: str | None = None
    cancel_requested: bool | None = None
    links: JobLinks
    error: JobFailure | None = None


class ListLinks(_Told):
    """Where the next page is."""

    next: str


class JobList(_Told):
    """One's own jobs, newest first."""

    jobs: list[JobAnswer]
    links: ListLinks | None = None


class ResultLinks(_Told):
    """Where a result is kept."""

    report: str
    masks: dict[str, str] = Field(description="By format.")


class ResultReport(Report):
    """The report of a study, with the id by which its masks are fetched."""

    id: str = Field(pattern="^[0-9a-f]{32}$")
    links: ResultLinks


class CheckTold(BaseModel):
    """One thing that the service needs."""

    ok: bool
    detail: str


class ReadyAnswer(BaseModel):
    """All that the service needs is there."""

    ready: bool
    checks: dict[str, CheckTold] = Field(
        description="By what was looked at; the same stands in the problem document of 503."
    )
    models: dict[str, CheckTold] | None = Field(
        default=None, description="How each model beside the main one stands; none of them makes the service unready."
    )


class ModelAnswer(BaseModel):
    """What is served; further keys tell where it comes from."""

    model_config = ConfigDict(extra="allow")

    model_name: str
    model_version: str
    bundle_digest: str
    channels: dict[str, Any]
    targets: list[str]
    disclaimer: str


class ServedTold(_Told):
    """One model that is served; what it takes and finds is known once it is loaded."""

    name: str | None = Field(description="For `?model=`.")
    version: str | None
    alias: str | None = Field(description="The alias that is followed; null where none is.")
    channels: dict[str, Any] | None
    targets: list[str] | None
    ready: bool


class ServedList(_Told):
    """All that is served, the main model first."""

    models: list[ServedTold]
