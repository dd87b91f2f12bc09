"""After training, on the validation cases, in their own space: calibrate, choose rules, learn how sure the model may be."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from lesionflow.calibration.confidence_fits import CaseOutcome, fit_targets
from lesionflow.calibration.mask_rules import RuleCase, choose_rules
from lesionflow.data.bundle import Bundle
from lesionflow.data.calibration import Calibration, InputProfile, MaskRules
from lesionflow.data.case import Case
from lesionflow.data.plan import Plan
from lesionflow.errors import ArtifactError
from lesionflow.inference.lesion_probabilities import NEGLIGIBLE
from lesionflow.inference.out_of_distribution import fit_profile, measure_features
from lesionflow.inference.segmenter import Segmenter
from lesionflow.metrics.probabilities import expected_calibration_error, fit_temperature, reliability, soften
from lesionflow.preprocessing import find_way_back

#: More cases than these are not looked at: time and memory stay bounded, evenly spread ones stand for all.
MOST_VALIDATION_CASES, MOST_TRAINING_CASES = 24, 48
#: Voxels a case that the temperature is fitted on.
VOXELS_A_CASE = 20_000

ReadCase = Callable[[str], Case]
Sample = tuple[NDArray[np.float32], NDArray[np.bool_]]


def fit_calibration(
    bundle: Bundle,
    read_case: ReadCase,
    *,
    validation: Sequence[str],
    training: Sequence[str],
    device: str,
    patients: Mapping[str, str] = MappingProxyType({}),
    unseen_by: Mapping[str, Bundle] = MappingProxyType({}),
) -> Calibration:
    """Fit all that a bundle needs to say how sure it is.

    What is said of targets is measured on patients who had no part in choosing the rules: each fold of them is segmented by the rules that the
    others choose. The temperature, one number of thousands of voxels, is that of all.

    Args:
        bundle: Plan and weights.
        read_case: Gives a case by its id.
        validation: Cases that no weight was fitted on; each needs a reference.
        training: Cases whose images say what inputs look like.
        device: `auto`, `cpu` or `cuda`.
        patients: Whose each case is; of several studies of one patient, further ones are taken only when there is room. A case that it does not
            name is a patient's of its own.
        unseen_by: By validation case, a model of the same plan that has not learned from it and segments it in the
            bundle's place: of an ensemble, the one member whose fold it was.

    Returns:
        What was fitted, with its figures.

    Raises:
        ArtifactError: When a validation case has no reference.
        InputError: When a case can't be read or brought to model space.
    """
    models = {id(model): model for model in (unseen_by.get(case_id, bundle) for case_id in validation)}
    segmenters = {key: Segmenter(model, device=device) for key, model in models.items()}
    plan, case_ids = bundle.plan, _spread(validation, patients, MOST_VALIDATION_CASES)
    cases = []
    for case_id in case_ids:
        case = replace(read_case(case_id), patient_id=patients.get(case_id, case_id))
        if case.reference_mask is None:
            raise ArtifactError(f"Expected a reference mask for the validation case {case_id}, found none.")
        segmenter = segmenters[id(unseen_by.get(case_id, bundle))]
        cases.append(RuleCase.of(case, segmenter.ask(case.volume, case_id=case_id), plan))
    temperature, before, after = _calibrate([_sample(case) for case in cases])
    choice = choose_rules(cases, MaskRules.of_plan(plan.inference), temperature)
    outcomes = [_outcome(case, rules, temperature) for case, rules in zip(cases, choice.rules_unseen, strict=True)]
    whose = [case.patient_id for case in cases]
    return Calibration(
        cases=tuple(case_ids),
        temperature=temperature,
        ece_before=before,
        ece_after=after,
        rules=choice.rules,
        dice_before=choice.dice_before,
        dice_after=choice.dice_after,
        trials=choice.trials,
        targets=fit_targets(plan.targets, outcomes),
        profile=_profile(plan, read_case, _spread(training, patients, MOST_TRAINING_CASES), patients),
        n_patients=len(set(whose)),
        dice_cross_fitted=choice.dice_cross_fitted,
    )


def _spread(case_ids: Sequence[str], patients: Mapping[str, str], most: int) -> list[str]:
    """Choose cases, evenly spread, sorted: one of each patient first, then a second, ...; a patient tells more than a follow-up."""
    by_patient: dict[str, list[str]] = {}
    for case_id in sorted(case_ids):
        by_patient.setdefault(patients.get(case_id, case_id), []).append(case_id)
    chosen: list[str] = []
    for round_of in zip_longest(*by_patient.values()):
        found = [case_id for case_id in round_of if case_id is not None]
        room = most - len(chosen)
        chosen += found if len(found) <= room else [found[int((i + 0.5) * len(found) / room)] for i in range(room)]
    return sorted(chosen)


def _sample(case: RuleCase) -> Sample:
    """Draw voxels that the network finds possible: the evaluation's calibration error is of the same.

    To add those of the reference that it misses would make every probability look too small.
    """
    whole, truth = case.dense(), case.reference()
    found, right = [], []
    for values, target in zip(whole, case.targets, strict=True):
        real = np.isin(truth, target.labels)
        possible = values >= NEGLIGIBLE
        found.append(values[possible])
        right.append(real[possible])
    probabilities, truths = np.concatenate(found), np.concatenate(right)
    if len(probabilities) > VOXELS_A_CASE:
        chosen = np.random.default_rng(0).choice(len(probabilities), VOXELS_A_CASE, replace=False)
        probabilities, truths = probabilities[chosen], truths[chosen]
    return probabilities, truths


def _calibrate(samples: Sequence[Sample]) -> tuple[float, float, float]:
    """Return the temperature, and the calibration error before and after; 1 where it does not help."""
    found = np.concatenate([probabilities for probabilities, _ in samples])
    truth = np.concatenate([truths for _, truths in samples])
    if not len(found):
        return 1.0, 0.0, 0.0
    temperature = fit_temperature(found, truth)
    before = expected_calibration_error(reliability(found, truth))
    after = expected_calibration_error(reliability(soften(found, temperature), truth))
    return (temperature, before, after) if after < before else (1.0, before, before)


def _outcome(case: RuleCase, rules: MaskRules, temperature: float) -> CaseOutcome:
    labels, truth = case.predict(rules, temperature), case.reference()
    voxel_ml = case.geometry.voxel_volume_ml
    true_ml = tuple(float(np.isin(truth, target.labels).sum()) * voxel_ml for target in case.targets)
    return CaseOutcome(case.patient_id, case.measure_probabilities(labels, temperature), case.score(labels), true_ml)


def _profile(
    plan: Plan, read_case: ReadCase, training: Sequence[str], patients: Mapping[str, str]
) -> InputProfile | None:
    features = []
    for case_id in training:
        volume = read_case(case_id).volume
        features.append(measure_features(volume, find_way_back(volume, plan), plan))
    return fit_profile(features, [patients.get(case_id, case_id) for case_id in training])
