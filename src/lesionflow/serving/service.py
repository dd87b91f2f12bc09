"""The BentoML service: our own routes mounted in it, so that uploads are streamed and limited. The only bentoml."""

import logging

import bentoml
from starlette.types import ASGIApp, Receive, Scope, Send

from lesionflow.machine.threads import limit_library_threads
from lesionflow.serving.access.slow_headers import close_idle_connections
from lesionflow.serving.api import create_app
from lesionflow.serving.log.safe_lines import write_safe_lines
from lesionflow.serving.parent import stop_with_parent
from lesionflow.serving.settings import load_service_settings

#: BentoML answers 504 beyond this; the work runs on, so it must be longer than the longest study takes.
TIMEOUT_S = 3600.0

# BentoML shows warnings alone of loggers that are not its own.
logging.getLogger("lesionflow").setLevel(logging.INFO)

# A bento is started without our command line.
limit_library_threads()
APP = create_app(load_service_settings())


class Ours:
    """Hands every request to our application and none to BentoML's."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; the start and the end of the service stay BentoML's, which tells our application of them."""
        await (self._app if scope["type"] == "lifespan" else APP)(scope, receive, send)


# BentoML's own metrics label each path, so that results' addresses would grow them without end: ours replace them.
# Its lines of requests have their paths, results' ids among them, as clients sent them: ours replace them too.
@bentoml.service(
    name="lesionflow",
    workers=1,
    traffic={"timeout": TIMEOUT_S},
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
)
@bentoml.asgi_app(APP, path="/")
class LesionFlow:
    """Tumor segmentation of CT, MR and PET studies. Research use only."""

    def __init__(self) -> None:
        # Made in the worker alone, when its log has its handlers.
        stop_with_parent()
        write_safe_lines()
        close_idle_connections()


# BentoML's own routes (schema.json, livez, readyz, healthz and what it may add) would stand before ours.
LesionFlow.add_asgi_middleware(Ours)  # type: ignore[attr-defined]
