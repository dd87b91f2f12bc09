"""`lesionflow export torch|onnx|sbom|monai|croissant`: a model or its data in forms that other programs take."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lesionflow.cli.chosen_store import add_workdir, model_name, settings_of
from lesionflow.errors import ConfigError

if TYPE_CHECKING:
    from lesionflow.prediction.served_model import ServedModel

#: What each form of a model is, and how its file's name ends.
FORMS = {
    "torch": ("the network as a program of torch.export", ".pt2"),
    "onnx": ("the network as ONNX", ".onnx"),
    "sbom": ("a CycloneDX bill of materials of a model and of what it runs with here", ".cdx.json"),
}


def add_forms(kinds: Any) -> None:
    """Add the forms of a model, and the metadata of its data, to `export`."""
    for name, (words, ending) in FORMS.items():
        form = kinds.add_parser(name, help=words)
        form.add_argument("file", type=Path, metavar="FILE", help=f"the file to write, {ending}")
        _add_model(form)
        form.set_defaults(run=_export, form=name)
    monai = kinds.add_parser("monai", help="a bundle of MONAI, which MONAI runs from NIfTI to masks without our code")
    monai.add_argument("folder", type=Path, metavar="DIR", help="the bundle; one that is there is replaced")
    words = (
        "a NIfTI study to compare both answers on as well: a file, or CHANNEL=FILE for each channel, all on one grid"
    )
    monai.add_argument("--study", nargs="+", default=[], metavar="FILE", help=words)
    _add_model(monai)
    monai.set_defaults(run=_monai)
    croissant = kinds.add_parser(
        "croissant", help="Croissant metadata of this version of the data: no image, nobody's name"
    )
    croissant.add_argument("file", type=Path, metavar="FILE", help="the file to write, .json")
    croissant.add_argument("--workdir", type=Path, default=Path(), help="the workspace")
    croissant.set_defaults(run=_croissant)


def _add_model(form: Any) -> None:
    form.add_argument("--model", default="champion", help="an alias, a version, or the folder of a bundle")
    form.add_argument("--model-name", help="the registered model, where the store holds several")
    add_workdir(form)


def _load(parsed: argparse.Namespace) -> "ServedModel":
    from lesionflow.prediction.served_model import load_model

    settings = settings_of(parsed)
    name = None if Path(parsed.model).is_dir() else model_name(parsed.model_name, settings)
    model = load_model(parsed.model, name, settings.tracking_uri)
    if model.doubt:
        sys.stderr.write(f"warning: {model.doubt}\n")
    return model


def _export(parsed: argparse.Namespace) -> int:
    from lesionflow.inference.exports import export_onnx, export_torch
    from lesionflow.steps.exchange.sbom import write_sbom

    model = _load(parsed)
    if parsed.form == "sbom":
        n = write_sbom(model.bundle, model.name, model.version, parsed.file)
        sys.stdout.write(f"{parsed.file}: {model.name} version {model.version} and {n} libraries.\n")
        return 0
    export = export_torch if parsed.form == "torch" else export_onnx
    parity = export(model.bundle, parsed.file)
    sys.stdout.write(
        f"{parsed.file}: {model.name} version {model.version}; logits at most {parity.max_difference:.3g} from the network's own, of which the largest is "
        f"{parity.max_logit:.3g}. Only the network: windows, spacing and rules are in plan.json and calibration.json of the bundle.\n"
    )
    return 0


def _monai(parsed: argparse.Namespace) -> int:
    from lesionflow.inference.monai_bundle.export import export_monai

    model = _load(parsed)
    files = _study_files(parsed.study, list(model.bundle.plan.dataset.channels))
    done = export_monai(model.bundle, model.name, model.version, parsed.folder, files)
    sys.stdout.write(
        f"{parsed.folder}: {model.name} version {model.version}, for MONAI {done.monai_version}.\n"
        f"MONAI beside lesionflow on a study made by chance that needs no resampling: {done.plain.in_words}.\n"
    )
    if done.study is not None:
        sys.stdout.write(f"On the study given: {done.study.in_words}.\n")
    return 0


def _study_files(given: list[str], channels: list[str]) -> dict[str, Path] | None:
    """Return the file of each channel; None where no study is given."""
    if not given:
        return None
    if len(channels) == len(given) == 1 and "=" not in given[0]:
        return {channels[0]: Path(given[0])}
    pairs = [one.partition("=") for one in given]
    files = {name: Path(path) for name, _, path in pairs}
    if sorted(files) != sorted(channels) or len(files) != len(given):
        expected = " ".join(f"{name}=FILE" for name in channels)
        raise ConfigError(f"Expected --study {expected}, found {' '.join(name for name, _, _ in pairs)}.")
    return files


def _croissant(parsed: argparse.Namespace) -> int:
    from lesionflow.steps.exchange.croissant import write_croissant
    from lesionflow.workspace.layout import PATHS, require_workspace

    require_workspace(parsed.workdir)
    n = write_croissant(parsed.workdir / PATHS["cases"], parsed.file)
    sys.stdout.write(f"{parsed.file}: the case table, {n} columns.\n")
    return 0
