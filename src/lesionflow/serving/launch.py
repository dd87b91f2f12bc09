"""How the service is started. Imports no bentoml, so that the command line may ask for it cheaply."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from lesionflow.config import Settings
from lesionflow.machine.extras import require
from lesionflow.serving.settings import load_service_settings

SERVICE = "lesionflow.serving.service:LesionFlow"
LOOPBACK = "127.0.0.1"
DEFAULT_PORT = 3000
#: Third parties must not report home.
QUIET_ENVIRONMENT = {"BENTOML_DO_NOT_TRACK": "True", "DO_NOT_TRACK": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}


def serve_command(host: str = LOOPBACK, port: int = DEFAULT_PORT) -> list[str]:
    """Return the command that starts the service and stays in the foreground.

    Args:
        host: Address to listen on: only this machine, if not given.
        port: Port to listen on.
    """
    return [sys.executable, "-m", "bentoml", "serve", SERVICE, "--host", host, "--port", str(port)]


def serve_environment(
    *, model: str, model_name: str | None, tracking_uri: str, environment: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the environment in which `serve_command` serves that model.

    Args:
        model: `champion`, another alias, a version number, or the folder of a bundle.
        model_name: The registered model; not needed with the folder of a bundle.
        tracking_uri: MLflow's.
        environment: What to add to; the process's own, if not given.
    """
    merged = dict(os.environ if environment is None else environment) | QUIET_ENVIRONMENT
    merged |= {"LESIONFLOW_MODEL": model, "MLFLOW_TRACKING_URI": tracking_uri}
    if model_name is not None:
        merged["LESIONFLOW_MODEL_NAME"] = model_name
    if Path(model).is_dir():
        merged["LESIONFLOW_MODEL"] = str(Path(model).absolute())
    return merged


def main(
    host: str = LOOPBACK, port: int = DEFAULT_PORT, *, model: str, model_name: str | None, check: bool = False
) -> None:
    """Become the service: this process is replaced, so that a signal reaches the server itself; or look once at what it would need, and exit.

    Raises:
        ConfigError: When neighbors could ask it without a key.
    """
    require("bentoml")
    # Not above: the command line asks this module for its command, and needs no web framework.
    from lesionflow.serving.access.addresses import require_safe_start

    require_safe_start(load_service_settings(), host)
    command = serve_command(host, port)
    environment = serve_environment(model=model, model_name=model_name, tracking_uri=Settings().tracking_uri)
    if check:
        from lesionflow.serving.readiness import once

        os.environ.update(environment)
        sys.exit(once.main(load_service_settings(), Settings()))
    os.execve(command[0], command, environment)  # noqa: S606 - our own command, no shell
