"""Would a gain be seen? The power of the one-sided sign-flip test, before a model is trained.

References:
    The sign-flip test has the power of Student's t-test for many patients: Hoeffding 1952, DOI 10.1214/aoms/1177729436. Few patients have few
    p-values: there the level is the largest of them that alpha allows.
"""

import math

from scipy.optimize import brentq
from scipy.stats import nct
from scipy.stats import t as student

from lesionflow.evaluation.statistics.sign_flip import MOST_EXACT_PATIENTS


def power(gain: float, sd: float, n: int, alpha: float) -> float:
    """Return how probable it is that a true gain is shown.

    Args:
        gain: The true mean, above what is to be exceeded.
        sd: Of the paired differences of patients, in the same unit.
        n: Patients.
        alpha: Of the look, one-sided.

    Returns:
        A probability; 0 where so few patients can show nothing.

    Examples:
        >>> round(power(0.03, 0.06, 40, 0.025), 2)
        0.87
    """
    if n < 2 or _level(n, alpha) <= 0.0:
        return 0.0
    return _power(gain / sd, n, alpha) if sd > 0.0 else float(gain > 0.0)


def smallest_detectable_gain(sd: float, n: int, alpha: float, power: float) -> float:
    """Return the gain that is shown with the probability `power`; infinite where so few patients can show nothing.

    Args:
        sd: Of the paired differences of patients.
        n: Patients.
        alpha: Of the look, one-sided.
        power: How probable it must be that it is shown, such as 0.8.
    """
    if n < 2 or _level(n, alpha) <= 0.0:
        return math.inf
    if sd <= 0.0:
        return 0.0
    # In standard deviations; two patients at 0.2 need fewer than a thousand.
    return sd * float(brentq(lambda gain: _power(gain, n, alpha) - power, 0.0, 1000.0))


def _power(gain_in_sd: float, n: int, alpha: float) -> float:
    return float(nct.sf(student.isf(_level(n, alpha), n - 1), n - 1, gain_in_sd * math.sqrt(n)))


def _level(n: int, alpha: float) -> float:
    return math.floor(alpha * 2.0**n) / 2.0**n if n <= MOST_EXACT_PATIENTS else alpha
