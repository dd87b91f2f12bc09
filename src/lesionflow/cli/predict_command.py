"""`lesionflow predict`: one study in, a mask and its report out."""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lesionflow.cli.chosen_store import add_workdir, find_ledger, hold_champion, model_name, settings_of
from lesionflow.errors import ConfigError
from lesionflow.prediction.documents import DOCUMENTS
from lesionflow.prediction.writers import REPORT_FORMAT, WRITERS, find_format

if TYPE_CHECKING:
    from lesionflow.prediction.report import TargetReport


def add_commands(commands: Any) -> None:
    """Add `predict`."""
    predict = commands.add_parser("predict", help="segment one study")
    predict.add_argument(
        "input", type=Path, nargs="+", help="a DICOM folder or a zip of one, a NIfTI file, or CHANNEL=FILE ..."
    )
    ends = ", ".join(suffix for writer in WRITERS.values() for suffix in writer.suffixes)
    reports = ", ".join(document.suffix for document in DOCUMENTS.values())
    words = f"the file to write; its end says the format ({ends}; .json, {reports}: the report alone)"
    predict.add_argument("-o", "--out", type=Path, required=True, help=words)
    told = {name: writer.summary for name, writer in WRITERS.items()}
    told |= {name: document.summary for name, document in DOCUMENTS.items()}
    formats = "; ".join(f"{name}: {summary}" for name, summary in told.items()).replace("%", "%%")
    predict.add_argument(
        "--format", choices=(*told, REPORT_FORMAT), help=f"{formats} (if given, the file's name must end so)"
    )
    predict.add_argument("--model", default="champion", help="an alias, a version, or the folder of a bundle")
    predict.add_argument("--model-name", help="the registered model, where the store holds several")
    predict.add_argument("--memory-mb", type=int, help="what the process may take; LESIONFLOW_MEMORY_MB, or no limit")
    words = (
        "refuse a study unlike the training data (exit 3, nothing written); without, it is a warning on stderr (exit 0)"
    )
    predict.add_argument("--strict", action="store_true", help=words)
    add_workdir(predict)
    predict.set_defaults(run=_predict)


def _predict(parsed: argparse.Namespace) -> int:
    # What costs nothing to look at comes first: the study, the file's name; then the store; then libraries of seconds.
    source = _source(parsed.input)
    _require_free(parsed.out, source.values() if isinstance(source, dict) else [source])
    output_format = find_format(parsed.out, parsed.format)
    settings = settings_of(parsed)
    name = None if Path(parsed.model).is_dir() else model_name(parsed.model_name, settings)

    from rich.console import Console
    from rich.progress import Progress

    from lesionflow.inference import Segmenter
    from lesionflow.prediction.served_model import load_model
    from lesionflow.prediction.study import predict_study

    held = () if name is None else hold_champion(parsed, name, parsed.model, settings)
    model = load_model(parsed.model, name, settings.tracking_uri, None if name is None else find_ledger(parsed))
    memory_mb = parsed.memory_mb or settings.memory_mb
    segmenter = Segmenter(model.bundle, device=settings.device, memory_mb=memory_mb)
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("Segmenting", total=None)
        report = predict_study(
            model,
            segmenter,
            source,
            parsed.out,
            output_format=output_format,
            strict=parsed.strict,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    for warning in (*held, *report.warnings, *([model.doubt] if model.doubt else [])):
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
    if dice is not None and dice.needs_review:
        sure += ": needs review"
    lesions = "1 lesion" if target.n_lesions == 1 else f"{target.n_lesions} lesions"
    return f"{target.name} {target.volume_ml:.2f} ml{range_ml} in {lesions}{sure}"


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


def _require_free(output: Path, sources: Iterable[Path]) -> None:
    """Refuse a place for the mask that is a folder, or the study itself."""
    if output.is_dir():
        raise ConfigError(f"Expected a file to write at {output}, found a folder. Name a file in it.")
    if output.exists() and any(output.samefile(source) for source in sources):
        raise ConfigError(f"Expected another file than the study to write to, found {output} itself. Name a new file.")
