"""How often may one test set decide? Each look spends a part of alpha, the first the most.

With alpha at every look, twenty equal challengers in turn replace a champion in a third of all cases. The part of look k goes with k to the power of
-1.3, and all parts together are alpha: by the union bound the chance of ever replacing it by an equal one is no more than that.

References:
    Alpha spending: Lan and DeMets 1983, DOI 10.1093/biomet/70.3.659; over hypotheses in turn: Javanmard and Montanari 2018, DOI 10.1214/17-AOS1559.
"""

import math

#: Few looks are the rule, so that the first keep most; with 20 the first has 0.38 of alpha, the last 0.008.
POWER = 1.3
ROUNDING = 1e-9


def alpha_of_look(look: int, looks: int, alpha: float) -> float:
    """Return what one look may spend.

    Args:
        look: Its number, from 1.
        looks: How many there are.
        alpha: For all together.

    Returns:
        Its part of alpha; 0 beyond the last.

    Examples:
        >>> round(alpha_of_look(1, 20, 0.025), 4)
        0.0095
    """
    if not 1 <= look <= looks:
        return 0.0
    return alpha * look**-POWER / sum(k**-POWER for k in range(1, looks + 1))


def alpha_left(look: int, looks: int, alpha: float, spent: float) -> float:
    """Return what one look may spend where looks before it have spent some of alpha already, by this plan or another.

    Args:
        look: Its number, from 1.
        looks: How many there are.
        alpha: For all together.
        spent: What looks before it could be wrong by, all together.

    Returns:
        Its part of alpha, or what is left where that is less; 0 where nothing is.

    Examples:
        >>> alpha_left(21, 1000, 0.025, 0.025), round(alpha_left(1, 20, 0.025, 0.02), 4)
        (0.0, 0.005)
    """
    left = alpha - spent
    # What many sums leave of nothing is nothing.
    return 0.0 if left <= ROUNDING * alpha else min(alpha_of_look(look, looks, alpha), left)


def fresh_patients_needed(n_patients: int, min_patients: int, alpha: float) -> int:
    """Return how many patients that nobody has looked at restore the whole budget.

    One more than were there, so that fewer than half have been looked at: a look counts for each set of whose patients at least half were in it
    (`evaluation.statistics.test_set_looks.looks_spent`). Also enough for the rules, and enough that the first look can show anything.

    Args:
        n_patients: In the test set now.
        min_patients: That the rules ask for.
        alpha: Of the first look.
    """
    reachable = math.ceil(-math.log2(alpha)) if alpha > 0.0 else 0
    return max(n_patients + 1, min_patients - n_patients, reachable - n_patients)
