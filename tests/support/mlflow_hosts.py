"""What MLflow's own parser and middleware make of a server's command line: seconds cheaper than the server."""

import asyncio
import warnings
from collections.abc import Sequence

import httpx
from fastapi import FastAPI
from mlflow.server.fastapi_security import init_fastapi_security

#: What `mlflow server` hands to its workers by the environment.
ALLOWED, ORIGINS = "MLFLOW_SERVER_ALLOWED_HOSTS", "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"

SEARCH = "/api/2.0/mlflow/experiments/search"


def options_of(command: Sequence[str]) -> dict[str, object]:
    """Return what MLflow's parser reads in `mlflow server ...`; an option that it does not know fails."""
    assert list(command[:2]) == ["mlflow", "server"]
    with warnings.catch_warnings():
        # MLflow warns of its own type hints.
        warnings.simplefilter("ignore")
        from mlflow.cli import server  # noqa: PLC0415
    return server.make_context("server", list(command[2:])).params


def statuses(command: Sequence[str], hosts: Sequence[str], monkeypatch) -> dict[str, int]:
    """Return the status by Host of a request to a server so started."""
    for name in (ALLOWED, ORIGINS):
        monkeypatch.delenv(name, raising=False)
    if (allowed := options_of(command)["allowed_hosts"]) is not None:
        monkeypatch.setenv(ALLOWED, str(allowed))
    app = FastAPI()
    app.get(SEARCH)(lambda: "asked")
    app.get("/health")(lambda: "ok")
    init_fastapi_security(app)

    async def ask() -> dict[str, int]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://mlflow") as client:
            asked = {host: (await client.get(SEARCH, headers={"Host": host})).status_code for host in hosts}
            return asked | {"health": (await client.get("/health", headers={"Host": "10.1.2.3:5000"})).status_code}

    return asyncio.run(ask())
