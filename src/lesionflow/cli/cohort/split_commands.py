"""`lesionflow data export-splits|import-splits`: folds to nnU-Net and from it."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from lesionflow.config import SplitConfig, load_params, load_section
from lesionflow.errors import ConfigError
from lesionflow.machine.error_words import plain_words
from lesionflow.workspace.layout import PATHS


def add_actions(actions: Any) -> tuple[Any, ...]:
    """Add `export-splits` and `import-splits` to the actions of `lesionflow data`; return their parsers."""
    export = actions.add_parser("export-splits", help="write the folds as nnU-Net's splits_final.json")
    export.add_argument("file", type=Path)
    export.set_defaults(run=_export)
    take = actions.add_parser("import-splits", help="take over the folds of an nnU-Net splits_final.json")
    take.add_argument("file", type=Path)
    take.set_defaults(run=_import)
    return export, take


def _export(parsed: argparse.Namespace) -> int:
    from lesionflow.cohort.nnunet_splits import to_nnunet
    from lesionflow.io.files import write_text
    from lesionflow.io.stores.splits import read_split

    split = read_split(parsed.workdir / PATHS["splits"])
    write_text(parsed.file, json.dumps(to_nnunet(split), indent=4) + "\n")
    sys.stdout.write(
        f"{len(split.folds)} folds written to {parsed.file}; the {len(split.test)} test cases are in none\n"
    )
    return 0


def _import(parsed: argparse.Namespace) -> int:
    from lesionflow.cohort.nnunet_splits import from_nnunet
    from lesionflow.io.files import parse_json, write_text
    from lesionflow.io.stores.splits import read_split
    from lesionflow.io.stores.validations import read_quarantine
    from lesionflow.steps.split import usable_cases

    workspace: Path = parsed.workdir
    try:
        content = parse_json(parsed.file)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"Expected nnU-Net's splits_final.json at {parsed.file}, found: {plain_words(error, length=200)}."
        ) from error
    config = load_section(SplitConfig, load_params(workspace / "params.yaml")["split"], "split")
    cases = usable_cases(workspace / PATHS["cases"], read_quarantine(workspace / PATHS["validation"]))
    path = workspace / PATHS["splits"]
    previous = read_split(path) if path.exists() else None
    split = from_nnunet(content, cases, seed=config.seed, fold=config.fold, n_folds=config.n_folds, previous=previous)
    write_text(path, split.model_dump_json(indent=2) + "\n")
    sys.stdout.write(
        f"{len(split.folds)} folds taken over; {len(split.test)} cases are in none: they are the test set\n"
    )
    return 0
