"""What `train` does with the weights it has found: fit all that says how sure they are, on the validation cases."""

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lesionflow.calibration.backend_choice import choose_backend
from lesionflow.calibration.fitting import fit_calibration
from lesionflow.data.bundle import Bundle
from lesionflow.data.calibration import BackendChoice, Calibration
from lesionflow.data.case import Case
from lesionflow.errors import ArtifactError
from lesionflow.inference.golden import make_golden
from lesionflow.io.stores.cases import image_path, mask_path, read_case, read_patients
from lesionflow.steps.train.mlflow_record import Record

logger = logging.getLogger(__name__)


def calibrate(
    bundle: Bundle, cases: Path, record: Record, *, device: str, out_of_fold_models: Sequence[Bundle] = ()
) -> Bundle:
    """Add to a bundle what its validation cases say, and log it to its run.

    Args:
        bundle: Plan, weights and card; the card names the cases.
        cases: What `ingest` wrote.
        record: Of the training.
        device: `auto`, `cpu` or `cuda`.
        out_of_fold_models: Where several folds were trained, their networks: each segments the validation cases that its own card
            names, which it has not learned from.

    Returns:
        The bundle with its calibration, and with what runs its network on CPUs.

    Raises:
        ArtifactError: When a validation case has no reference.
        InputError: When a case can't be read.
    """
    began = time.perf_counter()

    def read(case_id: str) -> Case:
        return read_case(cases, case_id)

    card = bundle.card
    unseen_by = {case_id: model for model in reversed(out_of_fold_models) for case_id in model.card.validation_cases}
    fitted = fit_calibration(
        bundle, read, validation=card.validation_cases, training=card.trained_cases, device=device,
        patients=read_patients(cases), unseen_by=unseen_by,
    )  # fmt: skip
    seconds = time.perf_counter() - began
    record.log_metrics(_figures(fitted, seconds))
    kept = {trial.rule: trial.value for trial in fitted.trials if trial.kept}
    logger.info(
        "fitted on %d validation cases of %d patients in %.1f s: temperature %.2f, calibration error %.3f (was %.3f), Dice in source "
        "space %.3f (of patients who had no part in choosing the rules %.3f; was %.3f), rules changed: %s",
        len(fitted.cases), fitted.n_patients, seconds, fitted.temperature, fitted.ece_after, fitted.ece_before, fitted.dice_after,
        fitted.dice_cross_fitted, fitted.dice_before, kept or "none",
    )  # fmt: skip
    bundle = replace(bundle, calibration=fitted)
    bundle = replace(bundle, golden=make_golden(bundle))
    choice = choose_backend(bundle, read, fitted.cases)
    if choice is not None:
        _tell_backend(choice, record)
    return replace(bundle, backend=choice)


def require_cases(cases: Path, *, validation: Sequence[str], training: Sequence[str]) -> None:
    """Refuse, before training and not after it, a folder that lacks what `calibrate` will read.

    Raises:
        ArtifactError: It names the first case.
    """
    for case_id in (*training, *validation):
        if not image_path(cases, case_id, 0).exists():
            raise ArtifactError(f"Expected the image of case {case_id} in {cases.name}, found none. Run ingest.")
    for case_id in validation:
        if not mask_path(cases, case_id).exists():
            raise ArtifactError(
                f"Expected a reference mask of the validation case {case_id} in {cases.name}, found none. Run ingest."
            )


def _tell_backend(choice: BackendChoice, record: Record) -> None:
    figures = choice.model_dump(exclude={"name", "compared"})
    record.log_metrics({f"calibration/backend_{name}": value for name, value in figures.items()})
    logger.info(
        "%s runs the network on CPUs: on %d cases %s took %.2f s, PyTorch %.2f s; masks equal in %.4f %% of voxels, "
        "Dice between them %.5f",
        choice.name, choice.n_cases, choice.compared, choice.seconds, choice.seconds_pytorch,
        100.0 * choice.equal_fraction, choice.dice,
    )  # fmt: skip


def _figures(fitted: Calibration, seconds: float) -> dict[str, float]:
    figures = {
        "temperature": fitted.temperature,
        "ece": fitted.ece_after,
        "ece_before": fitted.ece_before,
        "dice_source_space": fitted.dice_after,
        "dice_source_space_before": fitted.dice_before,
        "n_cases": len(fitted.cases),
        "seconds": seconds,
    }
    if fitted.n_patients is not None and fitted.dice_cross_fitted is not None:
        figures |= {"n_patients": fitted.n_patients, "dice_cross_fitted": fitted.dice_cross_fitted}
    return {f"calibration/{name}": value for name, value in figures.items()}
