"""What each route needs: a scope of an API key, or nothing. A route without a line here does not start."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lesionflow.jobs.api_keys import ApiKey, Scope
from lesionflow.jobs.audit import AuditKind
from lesionflow.jobs.job import Job
from lesionflow.serving.access.addresses import arrived_on, is_loopback
from lesionflow.serving.access.rate_limits import Asking, in_whole_seconds, whom_of
from lesionflow.serving.problems import RequestRefusedError

#: By method and path; None: open to everybody, as it tells nothing of studies or models.
POLICIES: dict[str, Scope | None] = {
    "POST /v1/segment": Scope.SUBMIT,
    "POST /v1/studies": Scope.SUBMIT,
    "GET /v1/jobs": Scope.READ,
    "GET /v1/jobs/{job_id}": Scope.READ,
    "GET /v1/jobs/{job_id}/events": Scope.READ,
    "DELETE /v1/jobs/{job_id}": Scope.SUBMIT,
    "GET /v1/results/{result_id}/report": Scope.READ,
    "GET /v1/results/{result_id}/mask": Scope.READ,
    "DELETE /v1/results/{result_id}": Scope.SUBMIT,
    "GET /v1/model": Scope.READ,
    "GET /v1/models": Scope.READ,
    "GET /metrics": Scope.METRICS,
    "GET /livez": None,
    "GET /readyz": None,
    "GET /": None,
    "GET /docs": None,
    "GET /openapi.json": None,
}
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="lesionflow"'}
Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    Args:
        owner: The id of the key; None where none is asked for: then whoever has a job's id may ask for it.
        sees_all: Whether jobs of others are shown too.
    """

    owner: str | None
    sees_all: bool

    def may_see(self, job: Job | None) -> bool:
        """Tell whether a job, or what is left of one whose row is gone, is this caller's to see."""
        return self.sees_all or (None if job is None else job.owner) == self.owner


def protect(route: Route) -> Route:
    """Return a route that asks for what its policy says before anything else.

    Raises:
        KeyError: When it has no policy, or two.
    """
    methods = sorted((route.methods or set()) - {"HEAD"})
    (scope,) = {POLICIES[f"{method} {route.path}"] for method in methods}
    return Route(route.path, _guarded(route.endpoint, scope), methods=methods)


def caller_of(request: Request) -> Caller:
    """Return who asks, as `protect` found it."""
    caller: Caller = request.state.caller
    return caller


async def note_use(request: Request, kind: AuditKind, job_id: str) -> None:
    """Add to the audit trail what was done with a key; without one there is nobody to name."""
    caller = caller_of(request)
    if caller.owner is not None:
        facts = {"key": caller.owner, "job": job_id}
        await to_thread.run_sync(request.app.state.audit.append, kind, facts)


def _guarded(endpoint: Endpoint, scope: Scope | None) -> Endpoint:
    async def guarded(request: Request) -> Response:
        request.state.caller = Caller(None, sees_all=False) if scope is None else await _admit(request, scope)
        return await endpoint(request)

    guarded.__name__ = getattr(endpoint, "__name__", "endpoint")
    return guarded


async def _admit(request: Request, scope: Scope) -> Caller:
    state: Any = request.app.state
    if state.service.access == "gateway":
        return Caller(None, sees_all=False)
    if state.service.access == "open":
        address = arrived_on(request.scope)
        if address is None or is_loopback(address):
            return Caller(None, sees_all=False)
        message = "Expected a request from this machine, found one from elsewhere: the service was started without keys. Set LESIONFLOW_ACCESS=keys."
        raise RequestRefusedError(message, status=403, code="keys_required")
    sent = request.headers.getlist("authorization")
    kind, _, token = sent[0].partition(" ") if len(sent) == 1 else ("", "", "")
    if kind.lower() != "bearer":
        message = "Expected a key, found none. Send it as Authorization: Bearer lfk_..."
        raise RequestRefusedError(message, status=401, code="no_key", headers=CHALLENGE)
    key: ApiKey | None = await to_thread.run_sync(state.keys.find, token.strip())
    if key is None:
        _count(state, Asking.FAILURE, whom_of(request.client.host if request.client else None))
        message = "Expected a key that is valid, found one that is unknown, revoked or expired."
        raise RequestRefusedError(message, status=401, code="invalid_key", headers=CHALLENGE)
    if not key.allows(scope):
        message = f"Expected a key with the scope {scope}, found one with {', '.join(sorted(key.scopes))}."
        raise RequestRefusedError(message, status=403, code="scope_missing")
    _count(state, Asking.READ if request.method in ("GET", "HEAD") else Asking.HAND_IN, key.id)
    return Caller(key.id, sees_all=Scope.ADMIN in key.scopes)


def _count(state: Any, kind: Asking, who: str) -> None:
    wait_s = state.rate_limits.take(kind, who)
    if wait_s > 0:
        seconds = in_whole_seconds(wait_s)
        message = (
            f"Expected fewer requests a minute, found more than this service takes of one. Ask again in {seconds} s."
        )
        raise RequestRefusedError(message, status=429, code="too_many_requests", headers={"Retry-After": seconds})
