"""A trained nnU-Net becomes a bundle: plain arrays and a card that says what it learned from, or that nobody knows."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from lesionflow import __version__
from lesionflow.config import Settings
from lesionflow.data.bundle import Bundle, Card
from lesionflow.io.exchange.case_lists import read_case_list
from lesionflow.io.exchange.nnunet_model import NnunetModel, read_model
from lesionflow.io.stores.bundles import write_bundle
from lesionflow.io.stores.cases import read_dataset, read_patients
from lesionflow.registry.tracking import Tracker
from lesionflow.steps.exchange.nnunet_plan import make_foreign_plan
from lesionflow.steps.revision import code_revision

logger = logging.getLogger(__name__)
Told = Literal["recorded", "stated", "unknown"]


class LearnedFrom(NamedTuple):
    """Cases of this workspace that a model learned from, how that is known, and how many others it learned from."""

    told: Told
    cases: tuple[str, ...]
    n_others: int


class Imported(NamedTuple):
    """A bundle that was made of a model folder."""

    digest: str
    folds: tuple[str, ...]
    learned_from: LearnedFrom


def import_nnunet(
    folder: Path,
    cases: Path,
    bundle: Path,
    settings: Settings,
    *,
    folds: Sequence[str] = (),
    trained_on: Path | None = None,
) -> Imported:
    """Make a bundle of a model folder of nnU-Net.

    Args:
        folder: `<trainer>__<plans>__<configuration>`.
        cases: What `ingest` wrote: channels, labels, and names by which the model's training cases are told.
        bundle: Where the bundle shall be.
        settings: The tracking URI: a run is made there that evaluation and registration show in.
        folds: Which; all that are there without.
        trained_on: A file that states which cases the model learned from, as `read_case_list`.

    Returns:
        What was made.

    Raises:
        ArtifactError: When the folder can't be taken, by name.
        ConfigError: When a fold is not there, or the statement can't be read.
        ServiceError: When MLflow can't be reached.
    """
    dataset = read_dataset(cases)
    model = read_model(folder, folds)
    plan = make_foreign_plan(model, dataset)
    stated = None if trained_on is None else read_case_list(trained_on)
    learned = tell_learned_from(model, set(read_patients(cases)), stated)
    run_id = Tracker(settings.tracking_uri, dataset.name).start_run("nnU-Net import", {"nnunet_sha256": model.sha256})
    Tracker(settings.tracking_uri, dataset.name).finish(run_id)
    card = Card(
        lesionflow_version=__version__,
        code_revision=code_revision(),
        data_revision="",
        run_id=run_id,
        tracking_experiment=dataset.name,
        plan_sha256=plan.digest(),
        trained_cases=learned.cases,
        validation_cases=(),
        validation_dice=model.dice or 0.0,
        epochs=model.epochs,
        train_params=_params(model, learned),
        learned_from=learned.told,
    )
    digest = write_bundle(bundle, Bundle(plan, model.weights, card))
    return Imported(digest, model.folds, learned)


def tell_learned_from(model: NnunetModel, known: set[str], stated: tuple[str, ...] | None) -> LearnedFrom:
    """Tell what a model learned from.

    Args:
        model: Whose validation masks, where all folds' lie in its folder, are named as every case that it learned from.
        known: Case ids of the workspace.
        stated: What somebody states; it is taken as it is.

    Returns:
        `recorded` only where all names are cases of this workspace: under another name a case may be one of ours.
    """
    if stated is not None:
        ours = tuple(name for name in stated if name in known)
        return LearnedFrom("stated", ours, len(stated) - len(ours))
    ours = tuple(name for name in model.validated if name in known)
    n_others = len(model.validated) - len(ours)
    return LearnedFrom("recorded" if model.is_complete and not n_others else "unknown", ours, n_others)


def _params(model: NnunetModel, learned: LearnedFrom) -> dict[str, Any]:
    return {
        "program": "nnunet",
        "trainer": model.trainer,
        "configuration": model.configuration,
        "folds": list(model.folds),
        "validation_dice_is": "unknown" if model.dice is None else "told by nnU-Net",
        "n_cases_of_other_names": learned.n_others,
        "nnunet_sha256": model.sha256,
    }
