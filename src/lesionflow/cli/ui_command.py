"""`lesionflow ui`: MLflow's pages on a workspace's runs, and the address at which reviewers begin."""

import argparse
import os
import subprocess
import sys
from typing import Any

from lesionflow.cli.chosen_store import add_workdir, settings_of

DEFAULT_PORT = 5000
#: Stores that show their pages themselves.
SERVERS = ("http://", "https://")


def add_commands(commands: Any) -> None:
    """Add `ui`."""
    ui = commands.add_parser("ui", help="runs, curves, pictures and the champion in the MLflow UI")
    ui.add_argument("--host", default="127.0.0.1")
    ui.add_argument("--port", type=int, default=DEFAULT_PORT)
    add_workdir(ui)
    ui.set_defaults(run=_ui)


def _ui(parsed: argparse.Namespace) -> int:
    settings = settings_of(parsed)
    from lesionflow.registry.mlflow_store import with_driver, without_password
    from lesionflow.registry.pages.start_page import first_page

    if settings.tracking_uri.startswith(SERVERS):
        sys.stdout.write(
            f"Open {without_password(settings.tracking_uri).rstrip('/')}/{first_page(settings.tracking_uri)}: the server has its own pages.\n"
        )
        return 0
    address = f"http://{parsed.host}:{parsed.port}/{first_page(settings.tracking_uri)}"
    sys.stdout.write(f"Open {address} in a moment; Ctrl-C ends it.\n")
    sys.stdout.flush()
    command = [sys.executable, "-m", "mlflow", "ui", "--host", parsed.host, "--port", str(parsed.port)]
    command += ["--workers", "1"]
    # Not on the command line, where everybody on the machine could read the password of a database.
    environment = {**os.environ, "MLFLOW_BACKEND_STORE_URI": with_driver(settings.tracking_uri)}
    return subprocess.run(command, check=False, env=environment).returncode  # noqa: S603 - our own command, no shell
