"""Around every answer: names that are ours, safe headers, a count, and no stack trace for anybody outside."""

import logging
import time
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lesionflow.serving import problems
from lesionflow.serving.access.addresses import refuse_foreign
from lesionflow.serving.drain import Drain
from lesionflow.serving.log.request_ids import HEADER, REQUEST_ID, request_id_of
from lesionflow.serving.prometheus_metrics import ServiceMetrics

SAFE_HEADERS = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (
        b"content-security-policy",
        (
            b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
            b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
    ),
)
CLIENT_GONE = 499
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
#: A line a request.
logger = logging.getLogger("lesionflow.access")


class GuardMiddleware:
    """Plain ASGI, so that nothing is buffered.

    Args:
        app: What answers.
        metrics: Where answers are counted.
        drain: Told of open requests.
        host_names: Names by which the service may be called, beside its address and loopback.
    """

    def __init__(self, app: ASGIApp, metrics: ServiceMetrics, drain: Drain, host_names: tuple[str, ...] = ()) -> None:
        self._app, self._metrics, self._drain, self._host_names = app, metrics, drain, host_names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 0
        request_id = request_id_of(Headers(scope=scope))
        token = REQUEST_ID.set(request_id)

        async def guarded_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                named = (HEADER.lower().encode(), request_id.encode())
                own = list(message.get("headers", ()))
                # A document that knows better what it loads says so itself.
                told = {key for key, _ in own}
                message["headers"] = [*own, *(pair for pair in SAFE_HEADERS if pair[0] not in told), named]
            await send(message)

        try:
            refuse_foreign(scope, self._host_names)
            with self._drain.request():
                await self._app(scope, receive, guarded_send)
        except ClientDisconnect:
            status = CLIENT_GONE
        except Exception as error:
            if status:
                raise
            await problems.on_error(Request(scope), error)(scope, receive, guarded_send)
        finally:
            self._tell(scope, status, time.perf_counter() - began)
            REQUEST_ID.reset(token)

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        """Count a request and write its line: the route's template, never the path, as a result's id is the key to it."""
        method = scope["method"] if scope["method"] in METHODS else "other"
        route = _route(scope)
        self._metrics.requests.labels(route, method, str(status)).inc()
        owner = getattr(scope.get("state", {}).get("caller"), "owner", None)
        address = (scope.get("client") or ("-",))[0]
        logger.info("%s %s %s %d in %.0f ms, key %s", address, method, route, status, seconds * 1000, owner or "-")


def _route(scope: dict[str, Any]) -> str:
    """Return the route's template, `other` when none fits: a label must not grow with what clients make up."""
    endpoint = scope.get("endpoint")
    path = getattr(scope.get("route"), "path", None)
    return str(path or getattr(endpoint, "__name__", "other"))
