"""`lesionflow models import-nnunet`: a trained nnU-Net, judged like any model."""

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lesionflow.cli.chosen_store import STORE, add_workdir, settings_of
from lesionflow.cli.parser import wording_of
from lesionflow.config import load_params
from lesionflow.workspace.decision_text import decision_text
from lesionflow.workspace.layout import PATHS, require_workspace

#: Where an imported model and what is found of it lie in a workspace, beside the candidate's.
IMPORTED = {"bundle": "models/nnunet", "evaluation": "reports/nnunet/evaluation", "registration": "reports/nnunet/registration.json",
            "promotion": "reports/nnunet/promotion.json", "decision": "reports/nnunet/decision.html"}  # fmt: skip
JUDGING = ("evaluate", "register", "promote")


def add_import(actions: Any) -> None:
    """Add `import-nnunet` to the actions of `lesionflow models`."""
    take = actions.add_parser("import-nnunet", help="make a bundle of a trained nnU-Net, and judge it like any model")
    take.add_argument("folder", type=Path, help="its model folder, <trainer>__<plans>__<configuration>")
    take.add_argument("--folds", nargs="+", default=[], metavar="N", help="which folds; all that are there without")
    words = (
        "which cases it learned from: splits_final.json, lesionflow_cases.json, a JSON list or a name a line; without, what its "
        "folder tells"
    )
    take.add_argument("--trained-on", type=Path, metavar="FILE", help=words)
    words = "stop with the bundle; without, it is evaluated, registered and judged by the gate"
    take.add_argument("--only-import", action="store_true", help=words)
    add_workdir(take)
    take.set_defaults(run=_import)


def _import(parsed: argparse.Namespace) -> int:
    from lesionflow.steps import STEPS, run_step
    from lesionflow.steps.exchange.nnunet_import import import_nnunet

    root: Path = parsed.workdir or Path()
    require_workspace(root)
    bundle = root / IMPORTED["bundle"]
    done = import_nnunet(
        parsed.folder,
        root / PATHS["cases"],
        bundle,
        settings_of(parsed),
        folds=parsed.folds,
        trained_on=parsed.trained_on,
    )
    learned = done.learned_from
    sys.stdout.write(
        f"{bundle}: nnU-Net, folds {', '.join(done.folds)}, bundle {done.digest:.12}. Learned from {len(learned.cases)} cases of this "
        f"workspace and {learned.n_others} of other names ({learned.told}).\n"
    )
    if learned.told == "unknown":
        sys.stdout.write(
            "What it learned from is not known as a whole: the gate will refuse it. State it by --trained-on FILE.\n"
        )
    if parsed.only_import:
        return 0
    params = load_params(root / "params.yaml")
    places = {**PATHS, **IMPORTED}
    with _store(settings_of(parsed).tracking_uri):
        for name in JUDGING:
            step = STEPS[name]
            inputs, outputs = ({key: root / places[key] for key in keys} for keys in (step.inputs, step.outputs))
            counts = run_step(name, params[name], inputs, outputs)
            sys.stdout.write(f"{name}: " + ", ".join(f"{key} {value:g}" for key, value in counts.items()) + "\n")
    sys.stdout.write(wording_of(parsed)(decision_text(root / IMPORTED["promotion"])))
    return 0


@contextmanager
def _store(tracking_uri: str) -> Iterator[None]:
    """Let steps use the workspace's store, as they read where it is from the environment."""
    before = os.environ.get(STORE)
    os.environ[STORE] = tracking_uri
    try:
        yield
    finally:
        if before is None:
            del os.environ[STORE]
        else:
            os.environ[STORE] = before
