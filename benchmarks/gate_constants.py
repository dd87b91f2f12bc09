"""Where the constants of the gate's rules about harm come from: what each would let pass and stop instead. python -m benchmarks gate_constants

Of `no_hidden_group`: simulated gains of patients, in Dice, half of them by challengers with a group that fails. Of `no_lost_masks`: binomial probabilities, no simulation.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from benchmarks.gate import PLAN, Draw, better, failing_quarter, generators
from lesionflow.config.change_plan import read_change_plan
from lesionflow.evaluation.gate.harm import LOPSIDED, MOST_SCATTER, SCATTER, WORST_SHARE, asymmetry_p
from lesionflow.evaluation.statistics.rates import rate_upper_bound

N_DRAWS, N_PATIENTS = 1000, 40
#: Better for everybody: what the rule refuses of these it refuses wrongly.
GOOD: Mapping[str, Draw] = {
    "+0.03, SD 0.06": better(N_PATIENTS, 0.03, 0.06),
    "+0.05, SD 0.10": better(N_PATIENTS, 0.05, 0.10),
    "+0.08, SD 0.15": better(N_PATIENTS, 0.08, 0.15),
}
#: A quarter at -0.15 that nothing names, mean +0.05: what passes here passes wrongly.
BAD: Mapping[str, Draw] = {f"SD {sd:.2f}": failing_quarter(N_PATIENTS, sd) for sd in (0.05, 0.10, 0.15, 0.20)}


class Ends(NamedTuple):
    """Of one challenger: mean loss of the quarter that loses most, and how rarely chance alone makes its end the longer one."""

    loss: float
    p: float


def run(n_draws: int = N_DRAWS) -> None:
    """Print what each value would do."""
    plan = read_change_plan(PLAN)
    good, bad = (
        {name: [_ends(draw, r) for r in generators(n_draws)] for name, draw in kind.items()} for kind in (GOOD, BAD)
    )
    print(
        f"no_hidden_group, {n_draws} draws of {N_PATIENTS} patients, margin {plan.subgroups.margin:g}: stopped of those better for all; passed of those that fail a quarter"
    )
    print(f"{'allowed, at most, lopsided':28}" + "".join(f"{name:>16}" for name in (*good, *bad)))
    for scatter, most, lopsided in (
        (SCATTER, MOST_SCATTER, LOPSIDED), (1.0, MOST_SCATTER, LOPSIDED), (1.5, MOST_SCATTER, LOPSIDED), (2.5, MOST_SCATTER, LOPSIDED),
        (SCATTER, 2.0, LOPSIDED), (SCATTER, 4.0, LOPSIDED), (SCATTER, 5.0, LOPSIDED), (SCATTER, MOST_SCATTER, 0.05), (SCATTER, MOST_SCATTER, 0.1), (SCATTER, MOST_SCATTER, 0.4),
    ):  # fmt: skip
        held = {
            name: np.mean([_held(one, plan.subgroups.margin, scatter, most, lopsided) for one in ends])
            for name, ends in (good | bad).items()
        }
        shares = [*(1.0 - held[name] for name in good), *(held[name] for name in bad)]
        print(f"{f'{scatter:g} x, {most:g} x, {lopsided:g}':28}" + "".join(f"{share:16.1%}" for share in shares))
    _tell_lost(plan.alpha)


def _ends(draw: Draw, random: np.random.Generator) -> Ends:
    champion, challenger = draw(random)
    gains: NDArray[np.float64] = challenger - champion
    n_worst = max(1, round(WORST_SHARE * len(gains)))
    return Ends(-float(np.sort(gains)[:n_worst].mean()), asymmetry_p(gains, n_worst))


def _held(ends: Ends, margin: float, scatter: float, most: float, lopsided: float) -> bool:
    return ends.loss <= scatter * margin or (ends.p > lopsided and ends.loss <= most * margin)


def _tell_lost(alpha: float) -> None:
    print(
        f"\nno_lost_masks, one-sided {1 - alpha:.0%}: of n patients so many may be lost (none always may); how often a challenger that truly loses a share passes"
    )
    print(
        f"{'bound':>6} {'n':>4} {'lost':>5} {'bound of none':>14}"
        + "".join(f"{f'loses {share:.0%}':>12}" for share in (0.01, 0.05, 0.10, 0.15))
    )
    for bound in (0.10, 0.15):
        for n in (8, 12, 20, 24, 40, 46, 60, 100):
            most = max((k for k in range(n) if k == 0 or rate_upper_bound(k, n, alpha) <= bound), default=0)
            passed = [float(binom.cdf(most, n, share)) for share in (0.01, 0.05, 0.10, 0.15)]
            print(
                f"{bound:6.0%} {n:4} {most:5} {rate_upper_bound(0, n, alpha):14.1%}"
                + "".join(f"{one:12.1%}" for one in passed)
            )


if __name__ == "__main__":
    run()
