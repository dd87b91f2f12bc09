"""`lesionflow export`: what is here, in forms that other programs take."""

import argparse
import sys
from pathlib import Path
from typing import Any

from lesionflow.cli.bundles.model_forms import add_forms
from lesionflow.cli.chosen_store import settings_of
from lesionflow.workspace.layout import PATHS, require_workspace

#: Numbers below are taken by data sets that are published.
DATASET_ID = 501


def add_commands(commands: Any) -> None:
    """Add `export`."""
    export = commands.add_parser("export", help="cases and models in forms that other programs take")
    kinds = export.add_subparsers(title="forms", required=True, metavar="FORM")
    _add_nnunet(kinds)
    add_forms(kinds)


def _add_nnunet(kinds: Any) -> None:
    nnunet = kinds.add_parser("nnunet", help="the cases as a raw data set of nnU-Net v2, test cases in imagesTs")
    nnunet.add_argument(
        "folder", type=Path, metavar="DIR", help="nnU-Net's nnUNet_raw; the data set becomes a folder in it"
    )
    words = f"the number in the data set's name (default {DATASET_ID})"
    nnunet.add_argument("--dataset-id", type=int, default=DATASET_ID, help=words)
    words = "leave the locked test cases out: nobody reads them, and the ledger stays as it is"
    nnunet.add_argument("--without-test", action="store_true", help=words)
    nnunet.add_argument("--workdir", type=Path, default=Path(), help="the workspace")
    nnunet.set_defaults(run=_nnunet)


def _nnunet(parsed: argparse.Namespace) -> int:
    from lesionflow.steps.exchange.nnunet_export import export_nnunet

    require_workspace(parsed.workdir)
    cases, splits = (parsed.workdir / PATHS[name] for name in ("cases", "splits"))
    uri = settings_of(parsed).tracking_uri
    done = export_nnunet(
        cases, splits, parsed.folder, uri, dataset_id=parsed.dataset_id, with_test=not parsed.without_test
    )
    tested = f"{done.n_test} locked test cases in imagesTs (noted in the ledger)" if done.n_test else "no test cases"
    sys.stdout.write(
        f"{done.folder}: {done.n_train} cases in imagesTr, {tested}, {done.n_folds} folds in splits_final.json.\n"
        f"Copy splits_final.json to nnUNet_preprocessed/{done.folder.name} after nnU-Net has planned, so that it trains by these "
        "folds, by patient.\n"
    )
    return 0
