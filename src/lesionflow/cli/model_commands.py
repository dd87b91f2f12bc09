"""The words of `models`, each handed to `cli.models`; `serve`."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lesionflow.cli.chosen_store import STORE, add_workdir, hold_champion, model_name, settings_of
from lesionflow.cli.exchange.nnunet_commands import add_import
from lesionflow.cli.models.changing import lift_bar, promote_version, roll_back_champion
from lesionflow.cli.models.checking import print_differences, print_verification
from lesionflow.cli.models.listing import print_history, print_version, print_versions
from lesionflow.cli.serve_keys_commands import add_keys, service_state

DEFAULT_PORT = 3000
ACTIONS: tuple[tuple[str, Callable[[argparse.Namespace], int], str], ...] = (
    ("list", print_versions, "all versions with aliases and scores"),
    ("show", print_version, "all that is known of one version"),
    ("diff", print_differences, "what two versions differ in: data, params, plan, figures, card"),
    ("history", print_history, "who was champion when and why, by the ledger"),
    ("promote", promote_version, "make a version the champion by hand"),
    ("rollback", roll_back_champion, "go back to the champion before this one, and bar this one"),
    ("lift", lift_bar, "let a version that was rolled back become champion again"),
    ("verify", print_verification, "whether bytes, ledger and aliases are as they were made"),
)


def add_commands(commands: Any) -> None:
    """Add `models` and `serve`."""
    models = commands.add_parser("models", help="the registered versions: look at them, change the champion, verify")
    actions = models.add_subparsers(required=True, metavar="ACTION")
    for name, function, words in ACTIONS:
        action = actions.add_parser(name, help=words)
        action.add_argument("--model-name", help="the registered model, where the store holds several")
        if name in {"show", "promote", "lift"}:
            action.add_argument(
                "version", help="a version number" if name == "lift" else "a version number or an alias"
            )
        if name == "verify":
            action.add_argument("version", nargs="?", help="the one whose bytes are read; without, all")
            asked = "also ask its network (the champion's, where none is named) its golden cases on this machine"
            action.add_argument("--golden", action="store_true", help=asked)
        if name == "diff":
            action.add_argument("first", metavar="A", help="a version number or an alias")
            action.add_argument("second", metavar="B", help="the same, of the other")
        if name == "rollback":
            action.add_argument("--to", metavar="VERSION", help="an earlier champion; without, the one before this one")
            leaving = "the champion that is to be left, where a rollback made it, or to be sure"
            action.add_argument("--from", metavar="VERSION", dest="leaving", help=leaving)
        if name in {"promote", "lift", "rollback"}:
            action.add_argument("--name", required=True, help="who decides: kept in the ledger")
            action.add_argument("--reason", required=True, help="why: kept in the ledger")
        add_workdir(action)
        action.set_defaults(run=function)
    add_import(actions)
    serve = commands.add_parser("serve", help="serve the champion over HTTP")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=DEFAULT_PORT)
    serve.add_argument("--model", default="champion", help="an alias, a version, or the folder of a bundle")
    serve.add_argument("--model-name", help="the registered model, where the store holds several")
    serve.add_argument("--check", action="store_true", help="look once at all that the service needs, and exit")
    add_workdir(serve)
    serve.set_defaults(run=_serve)
    add_keys(serve)


def _serve(parsed: argparse.Namespace) -> int:
    settings = settings_of(parsed)
    name = None if Path(parsed.model).is_dir() else model_name(parsed.model_name, settings)
    for warning in () if name is None else hold_champion(parsed, name, parsed.model, settings):
        sys.stderr.write(f"warning: {warning}\n")
    # The service is another surface, started as a program of its own: the two never import one another.
    command = [sys.executable, "-m", "lesionflow.serving", "--host", parsed.host, "--port", str(parsed.port)]
    command += [
        "--model",
        parsed.model,
        *(["--model-name", name] if name else []),
        *(["--check"] if parsed.check else []),
    ]
    # Not on the command line, where everybody on the machine could read the password of a database.
    environment = {**os.environ, STORE: settings.tracking_uri}
    if (state := service_state(parsed.workdir)) is not None:
        environment["LESIONFLOW_STATE_DIR"] = str(state)
    sys.stdout.flush()
    # This process becomes the service, so that a signal reaches the server itself: the first process of a container ignores one otherwise.
    os.execve(command[0], command, environment)  # noqa: S606 - our own command, no shell
