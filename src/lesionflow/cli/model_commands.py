"""Models: predict with them, list, promote and roll them back, trace a mask to them, serve them."""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lesionflow.config import Settings
from lesionflow.errors import ArtifactError, ConfigError
from lesionflow.prediction.writers import WRITERS

if TYPE_CHECKING:
    from lesionflow.prediction.report import TargetReport

DEFAULT_PORT = 3000
#: Tag of a version: how it compares with the champion, in a sentence.
AGAINST_CHAMPION = "against_champion"
LONGEST_LINE = 400


def add_commands(commands: Any) -> None:
    """Add `predict`, `models`, `trace` and `serve`."""
    predict = commands.add_parser("predict", help="segment one study")
    predict.add_argument(
        "input", type=Path, nargs="+", help="a DICOM folder or a zip of one, a NIfTI file, or CHANNEL=FILE ..."
    )
    predict.add_argument("-o", "--out", type=Path, required=True)
    formats = "; ".join(f"{name}: {writer.summary}" for name, writer in WRITERS.items()).replace("%", "%%")
    predict.add_argument("--format", choices=tuple(WRITERS), default="nifti", help=f"{formats} (nifti, if not given)")
    predict.add_argument("--model", default="champion", help="an alias, a version, or the folder of a bundle")
    predict.add_argument("--model-name", help="the registered model, where the store holds several")
    predict.add_argument("--memory-mb", type=int, help="what the process may take; LESIONFLOW_MEMORY_MB, or no limit")
    predict.set_defaults(run=_predict)
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
        action.set_defaults(run=function)
    trace = commands.add_parser("trace", help="from a mask to the model, run, data and code that made it")
    trace.add_argument("mask", type=Path, help="a mask that `predict` wrote, or its .json report")
    trace.set_defaults(run=_trace)
    serve = commands.add_parser("serve", help="serve the champion over HTTP")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=DEFAULT_PORT)
    serve.add_argument("--model", default="champion", help="an alias, a version, or the folder of a bundle")
    serve.add_argument("--model-name", help="the registered model, where the store holds several")
    serve.set_defaults(run=_serve)


def _predict(parsed: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.progress import Progress

    from lesionflow.inference import Segmenter
    from lesionflow.prediction.models import load_model
    from lesionflow.prediction.study import predict_study

    settings = Settings()
    name = None if Path(parsed.model).is_dir() else _model_name(parsed.model_name, settings)
    model = load_model(parsed.model, name, settings.tracking_uri)
    memory_mb = parsed.memory_mb or settings.memory_mb
    segmenter = Segmenter(model.bundle, device=settings.device, memory_mb=memory_mb)
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("Segmenting", total=None)
        report = predict_study(
            model,
            segmenter,
            _source(parsed.input),
            parsed.out,
            output_format=parsed.format,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    for warning in report.warnings:
        sys.stderr.write(f"warning: {warning}\n")
    found = ", ".join(_in_words(target) for target in report.targets)
    sys.stdout.write(f"{parsed.out}: {found} ({model.name}, version {model.version}). {report.disclaimer}\n")
    return 0


def _in_words(target: "TargetReport") -> str:
    interval, dice = target.volume_interval, target.predicted_dice
    range_ml = (
        "" if interval is None else f" ({interval.low_ml:.2f}-{interval.high_ml:.2f} with {interval.coverage:.0%})"
    )
    sure = "" if dice is None else f", predicted Dice {dice.value:.2f}"
    return f"{target.name} {target.volume_ml:.2f} ml{range_ml} in {target.n_lesions} lesions{sure}"


def _source(inputs: list[Path]) -> "Path | dict[str, Path]":
    if all("=" in str(entry) and not entry.exists() for entry in inputs):
        pairs = [str(entry).split("=", 1) for entry in inputs]
        return {channel: _existing(Path(file)) for channel, file in pairs}
    if len(inputs) > 1:
        raise ConfigError("Expected one study, or CHANNEL=FILE for each channel, found several paths.")
    return _existing(inputs[0])


def _existing(path: Path) -> Path:
    if not path.exists():
        raise ConfigError(f"Expected a study at {path}, found nothing there.")
    return path


def _model_name(given: str | None, settings: Settings) -> str:
    """The model meant: as given, by `LESIONFLOW_MODEL_NAME`, or the only one in the store."""
    name = given or os.environ.get("LESIONFLOW_MODEL_NAME")
    if name:
        return name
    from lesionflow.registry.versions import list_models

    names = list_models(settings.tracking_uri)
    if len(names) != 1:
        found = ", ".join(names) or "none"
        raise ConfigError(
            f"Expected one registered model in {settings.tracking_uri}, found {found}. Name it with --model-name, or set "
            "MLFLOW_TRACKING_URI to the store that holds it."
        )
    return names[0]


def _list(parsed: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.table import Table

    from lesionflow.registry.versions import list_models, list_versions

    settings = Settings()
    names = [parsed.model_name] if parsed.model_name else list_models(settings.tracking_uri)
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
        table if table.row_count else f"No model is registered in {settings.tracking_uri}."
    )
    return 0


def _show(parsed: argparse.Namespace) -> int:
    from lesionflow.registry.versions import require_version

    settings = Settings()
    found = require_version(_model_name(parsed.model_name, settings), parsed.version, settings.tracking_uri)
    sys.stdout.write(json.dumps({**found._asdict(), "tags": dict(found.tags)}, indent=2) + "\n")
    return 0


def _promote(parsed: argparse.Namespace) -> int:
    from lesionflow.registry.versions import require_version, set_champion

    settings = Settings()
    name = _model_name(parsed.model_name, settings)
    version = require_version(name, parsed.version, settings.tracking_uri).version
    change = set_champion(name, version, settings.tracking_uri)
    sys.stdout.write(f"{name}: champion was {change.before or 'none'}, is {change.after}. No gate was asked.\n")
    return 0


def _rollback(parsed: argparse.Namespace) -> int:
    from lesionflow.registry.versions import rollback

    settings = Settings()
    name = _model_name(parsed.model_name, settings)
    change = rollback(name, settings.tracking_uri)
    sys.stdout.write(f"{name}: champion was {change.before or 'none'}, is {change.after}.\n")
    return 0


def _trace(parsed: argparse.Namespace) -> int:
    from lesionflow.io.files import parse_json
    from lesionflow.registry.versions import list_versions

    settings = Settings()
    report = parsed.mask if parsed.mask.suffix == ".json" else parsed.mask.with_name(parsed.mask.name + ".json")
    try:
        passport = parse_json(report)["passport"]
        digest, name = passport["bundle_digest"], passport["model_name"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(
            f"Expected the report {report.name} with a passport beside the mask, found: {error}."
        ) from error
    for key, value in passport.items():
        sys.stdout.write(f"{key:>20}  {value}\n")
    versions = [v for v in list_versions(name, settings.tracking_uri) if v.bundle_digest == digest]
    if versions:
        aliases = ", ".join(versions[0].aliases) or "none"
        sys.stdout.write(f"In {settings.tracking_uri}: {name} version {versions[0].version}, aliases {aliases}.\n")
    else:
        sys.stdout.write(f"In {settings.tracking_uri}: no version of {name} has this bundle.\n")
    return 0


def _serve(parsed: argparse.Namespace) -> int:
    settings = Settings()
    name = None if Path(parsed.model).is_dir() else _model_name(parsed.model_name, settings)
    # The service is another surface, started as a program of its own: the two never import one another.
    command = [sys.executable, "-m", "lesionflow.serving", "--host", parsed.host, "--port", str(parsed.port)]
    command += ["--model", parsed.model, "--tracking-uri", settings.tracking_uri]
    if name:
        command += ["--model-name", name]
    sys.stdout.flush()
    return subprocess.run(command, check=False).returncode  # noqa: S603 - our own command, no shell
