"""Do flag and volume interval hold for new patients when the fitted ones have several studies each? Simulated patients.

python -m benchmarks confidence_by_patient
"""

import numpy as np

from lesionflow.calibration.confidence_fits import fit_volume
from lesionflow.inference.out_of_distribution import Features, fit_profile, judge_input

SEED, N_BUNDLES = 0, 100
#: Share of the variance of a feature, or of a volume's error, that is the patient's and comes back at every follow-up.
OWN_SHARE = 0.95
N_FEATURES = {"intensity": 5, "texture": 4, "layout": 27, "size": 3}


def run() -> None:
    """Print claims and what came of them."""
    random = np.random.default_rng(SEED)
    print(
        f"{'patients x studies':20} {'flag: claimed':>14} {'by case':>8} {'by patient':>11}    {'interval: promised':>18} {'by case':>8} {'by patient':>11} {'5 to 95 % of bundles':>21} {'band told':>12}"
    )
    for n_patients, n_studies in ((5, 3), (9, 3), (16, 4), (24, 1), (30, 1)):
        names = [str(patient) for patient in range(n_patients) for _ in range(n_studies)]
        alarms = np.array([_alarms(random, names, n_studies) for _ in range(N_BUNDLES // 2)]).mean(axis=0)
        held = np.array([_coverage(random, names, n_studies) for _ in range(10 * N_BUNDLES)])
        low, high = np.percentile(held[:, 2], (5, 95))
        promised, by_case, by_patient, told_low, told_high = held.mean(axis=0)
        print(
            f"{n_patients:8} x {n_studies:<9} {alarms[0]:14.1%} {alarms[1]:8.1%} {alarms[2]:11.1%}    {promised:18.1%} {by_case:8.1%} "
            f"{by_patient:11.1%} {low:10.0%} to {high:4.0%}   {told_low:6.0%} to {told_high:.0%}"
        )


def _alarms(random: np.random.Generator, names: list[str], n_studies: int) -> tuple[float, float, float]:
    fitted = _patients(random, len(names) // n_studies, n_studies)
    new = _patients(random, 40, 1)
    by_patient, by_case = fit_profile(fitted, names), fit_profile(fitted)
    return (
        by_patient.false_alarm_fraction,
        float(np.mean([judge_input(features, by_case).flagged for features in new])),
        float(np.mean([judge_input(features, by_patient).flagged for features in new])),
    )


def _patients(random: np.random.Generator, n: int, n_studies: int) -> list[Features]:
    own = [{name: random.standard_t(5, size) for name, size in N_FEATURES.items()} for _ in range(n)]
    return [
        {
            name: np.sqrt(OWN_SHARE) * one[name] + np.sqrt(1 - OWN_SHARE) * random.normal(size=size)
            for name, size in N_FEATURES.items()
        }
        for one in own
        for _ in range(n_studies)
    ]


def _coverage(
    random: np.random.Generator, names: list[str], n_studies: int
) -> tuple[float, float, float, float, float]:
    predicted, true = _volumes(random, len(names) // n_studies, n_studies)
    new_predicted, new_true = _volumes(random, 200, 1)
    by_patient, by_case = (fit_volume(predicted, true, whose) for whose in (names, [str(i) for i in range(len(names))]))
    held = []
    for fitted in (by_case, by_patient):
        bounds = np.array([fitted.around(volume) for volume in new_predicted])
        held.append(float(np.mean((bounds[:, 0] - 1e-9 <= new_true) & (new_true <= bounds[:, 1] + 1e-9))))
    return by_patient.coverage, *held, by_patient.coverage_low, by_patient.coverage_high


def _volumes(random: np.random.Generator, n: int, n_studies: int) -> tuple[np.ndarray, np.ndarray]:
    true = random.lognormal(3.0, 1.2, (n, n_studies))
    error = np.sqrt(OWN_SHARE) * random.normal(size=(n, 1)) + np.sqrt(1 - OWN_SHARE) * random.normal(
        size=(n, n_studies)
    )
    return (true * np.exp(0.3 * error)).ravel(), true.ravel()


if __name__ == "__main__":
    run()
