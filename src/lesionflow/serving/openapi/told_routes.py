"""`/openapi.json` and `/docs`: made when first asked for, as their types are the report's own, which come with the network's library; what they say lies beside, not here."""

from typing import Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route


async def show_openapi(request: Request) -> Response:
    """Answer with the OpenAPI document."""
    return JSONResponse(await _document(request))


async def show_docs(request: Request) -> Response:
    """Answer with the page made of it."""
    from lesionflow.serving.openapi.docs_page import docs_page

    return HTMLResponse(docs_page(await _document(request), str(request.base_url).rstrip("/")))


async def _document(request: Request) -> dict[str, Any]:
    state = request.app.state
    if getattr(state, "openapi", None) is None:
        state.openapi = await to_thread.run_sync(_make)
    made: dict[str, Any] = state.openapi
    return made


def _make() -> dict[str, Any]:
    # In a thread: the import takes seconds where the model is not loaded yet.
    from lesionflow.serving.openapi.document import openapi_document

    return openapi_document()


TOLD_ROUTES = (Route("/openapi.json", show_openapi), Route("/docs", show_docs))
