"""`lesionflow ui`: MLflow's pages on a workspace's runs, and the address at which reviewers begin."""

import argparse
import subprocess
import sys
from typing import Any

from lesionflow.cli.stores import add_workdir, settings_of

DEFAULT_PORT = 5000


def add_commands(commands: Any) -> None:
    """Add `ui`."""
    ui = commands.add_parser("ui", help="runs, curves, pictures and the champion in the MLflow UI")
    ui.add_argument("--host", default="127.0.0.1")
    ui.add_argument("--port", type=int, default=DEFAULT_PORT)
    add_workdir(ui)
    ui.set_defaults(run=_ui)


def _ui(parsed: argparse.Namespace) -> int:
    settings = settings_of(parsed)
    from lesionflow.registry.views import first_page

    address = f"http://{parsed.host}:{parsed.port}/{first_page(settings.tracking_uri)}"
    sys.stdout.write(f"Open {address} in a moment; Ctrl-C ends it.\n")
    sys.stdout.flush()
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", settings.tracking_uri]
    command += ["--host", parsed.host, "--port", str(parsed.port), "--workers", "1"]
    return subprocess.run(command, check=False).returncode  # noqa: S603 - our own command, no shell
