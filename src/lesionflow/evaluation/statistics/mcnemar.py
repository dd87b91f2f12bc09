"""Are there more new misses than new finds? McNemar's test, exact.

References:
    McNemar 1947, DOI 10.1007/BF02295996; exact by the binomial distribution.
"""

from scipy.stats import binom


def mcnemar_p(n_new_misses: int, n_new_finds: int) -> float:
    """Return the one-sided p-value: had misses and finds been a coin's, how often as many misses?

    Args:
        n_new_misses: Pairs that only the champion found.
        n_new_finds: Pairs that only the challenger found.

    Returns:
        p in 0..1; 1 where the two agree everywhere.

    Examples:
        >>> mcnemar_p(5, 0)
        0.03125
    """
    return float(binom.sf(n_new_misses - 1, n_new_misses + n_new_finds, 0.5))
