"""Models: list, promote and roll them back, serve them."""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from lesionflow.cli.stores import add_workdir, model_name, settings_of
from lesionflow.registry.secrets import without_password

DEFAULT_PORT = 3000
#: Tag of a version: how it compares with the champion, in a sentence.
AGAINST_CHAMPION = "against_champion"
LONGEST_LINE = 400


def add_commands(commands: Any) -> None:
    """Add `models` and `serve`."""
    models = commands.add_parser("models", help="the registered versions: list, show, promote, rollback")
    actions = models.add_subparsers(required=True, metavar="ACTION")
    for name, function, words in (
        ("list", _list, "all versions with aliases and scores"),
        ("show", _show, "all that is known of one version"),
        ("promote", _promote, "make a version the champion by hand"),
        ("rollback", _rollback, "make the previous champion the champion again"),
    ):
        action = actions.add_parser(name, help=words)
        action.add_argument("--model-name", help="the registered model, where the store holds several")
        if name in {"show", "promote"}:
            action.add_argument("version", help="a version number or an alias")
        add_workdir(action)
        action.set_defaults(run=function)
    serve = commands.add_parser("serve", help="serve the champion over HTTP")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=DEFAULT_PORT)
    serve.add_argument("--model", default="champion", help="an alias, a version, or the folder of a bundle")
    serve.add_argument("--model-name", help="the registered model, where the store holds several")
    add_workdir(serve)
    serve.set_defaults(run=_serve)


def _list(parsed: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.table import Table

    from lesionflow.registry.versions import list_models, list_versions

    settings = settings_of(parsed)
    names = list_models(settings.tracking_uri)
    if parsed.model_name:
        names = (model_name(parsed.model_name, settings),)
    heads = ("model", "version", "aliases", "test Dice", "against the champion of its day", "run", "made")
    table = Table(*heads, box=None, pad_edge=False)
    for name in names:
        for v in list_versions(name, settings.tracking_uri):
            # Square brackets are rich's own marks; an interval's are meant as they stand.
            score = f"{v.tags.get('test_dice', '')} \\[{v.tags.get('test_dice_interval', '')}]"
            against = v.tags.get(AGAINST_CHAMPION, "").replace("[", r"\[")
            table.add_row(name, v.version, ", ".join(v.aliases), score, against, v.run_id[:12], v.created_at)
    # Lines are kept whole, so that they can be searched and cut: rich would shorten names to fit 80 columns.
    Console(width=LONGEST_LINE).print(
        table if table.row_count else f"No model is registered in {without_password(settings.tracking_uri)}."
    )
    return 0


def _show(parsed: argparse.Namespace) -> int:
    from lesionflow.registry.versions import require_version

    settings = settings_of(parsed)
    found = require_version(model_name(parsed.model_name, settings), parsed.version, settings.tracking_uri)
    sys.stdout.write(json.dumps({**found._asdict(), "tags": dict(found.tags)}, indent=2) + "\n")
    return 0


def _promote(parsed: argparse.Namespace) -> int:
    from lesionflow.registry.versions import require_version, set_champion

    settings = settings_of(parsed)
    name = model_name(parsed.model_name, settings)
    version = require_version(name, parsed.version, settings.tracking_uri).version
    change = set_champion(name, version, settings.tracking_uri)
    sys.stdout.write(f"{name}: champion was {change.before or 'none'}, is {change.after}. No gate was asked.\n")
    return 0


def _rollback(parsed: argparse.Namespace) -> int:
    from lesionflow.registry.versions import rollback

    settings = settings_of(parsed)
    name = model_name(parsed.model_name, settings)
    change = rollback(name, settings.tracking_uri)
    sys.stdout.write(f"{name}: champion was {change.before or 'none'}, is {change.after}.\n")
    return 0


def _serve(parsed: argparse.Namespace) -> int:
    settings = settings_of(parsed)
    name = None if Path(parsed.model).is_dir() else model_name(parsed.model_name, settings)
    # The service is another surface, started as a program of its own: the two never import one another.
    command = [sys.executable, "-m", "lesionflow.serving", "--host", parsed.host, "--port", str(parsed.port)]
    command += ["--model", parsed.model, "--tracking-uri", settings.tracking_uri]
    if name:
        command += ["--model-name", name]
    sys.stdout.flush()
    return subprocess.run(command, check=False).returncode  # noqa: S603 - our own command, no shell
