"""The OpenAPI document of the service, put together by FastAPI's own maker; what is said of each route lies in `operations`, not here."""

from typing import Any

from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from lesionflow import __version__
from lesionflow.serving.openapi.operations import OPERATIONS
from lesionflow.serving.openapi.told_models import (
    JobAnswer,
    JobList,
    ModelAnswer,
    ProblemAnswer,
    ReadyAnswer,
    ResultReport,
    ServedList,
)

DESCRIPTION = """A study of CT, MR or PET in, a mask of its tumors on the study's own voxels out. **Research use only. Not a medical device.**

`POST /v1/segment` is one call. `POST /v1/studies` accepts a study and answers with its job, which outlives the connection, the client and the process. Where the service asks for keys, each
request carries one: `Authorization: Bearer lfk_...`. What goes wrong is told as a problem document (RFC 9457) whose `code` is stable. 429 and 503 say in `Retry-After` when to come again."""
TAGS = {
    "studies": "A study in, its result out, in one call.",
    "jobs": "Studies handed in, to be fetched later.",
    "results": "What was found; kept for a day.",
    "service": "What is served, and how it is.",
}
MODELS: tuple[type[BaseModel], ...] = (
    JobAnswer,
    JobList,
    ModelAnswer,
    ProblemAnswer,
    ReadyAnswer,
    ResultReport,
    ServedList,
)


def openapi_document() -> dict[str, Any]:
    """Return the document, by OpenAPI 3.1."""
    document = get_openapi(
        title="lesionflow",
        version=__version__,
        openapi_version="3.1.0",
        description=DESCRIPTION,
        routes=OPERATIONS,
        tags=[{"name": name, "description": words} for name, words in TAGS.items()],
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        servers=[{"url": "/"}],
    )
    _, schemas = models_json_schema(
        [(model, "serialization") for model in MODELS], ref_template="#/components/schemas/{model}"
    )
    key = {"type": "http", "scheme": "bearer", "description": "An API key. Its scope is named with each operation."}
    document["components"] = {"schemas": schemas["$defs"], "securitySchemes": {"key": key}}
    return document
