"""How often is the gate wrong? Simulated challengers, whose truth is known, through the judgement itself: python -m benchmarks gate

Dice has 8 % zeros (missed tumors); how often the two models miss the same patients makes the scatter of paired differences 0.15 to 0.27. The change
plan is the one that ships for any model. Only where the judgement's own test of the primary gain holds can it promote: elsewhere it is not asked, which
saves nine tenths of the time and changes nothing (the first draws are asked all, and compared).
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lesionflow.config import presets
from lesionflow.config.change_plan import ChangePlan, read_change_plan
from lesionflow.evaluation.figures import to_png
from lesionflow.evaluation.gate import Judgement, Verdict, judge
from lesionflow.evaluation.statistics.looks import alpha_of_look
from lesionflow.evaluation.statistics.power import power
from lesionflow.evaluation.statistics.skewness import claim_p

PLAN = Path(presets.__file__).parent / "change_plans" / "any.yaml"
PICTURE = Path(__file__).resolve().parents[1] / "docs" / "pictures" / "gate.png"
N_DRAWS, SEED, N_CHECKED = 2000, 20_261_129, 5
MISSED_FRACTION, MEAN_DICE, SD_DICE, SD_NOISE = 0.08, 0.76, 0.08, 0.05
#: How often the other model misses whom one misses, and the scatter of paired differences that it makes.
SHARED = {"0.15": 0.79, "0.20": 0.59, "0.27": 0.20}
PATIENTS = (8, 20, 40, 100)
#: Other numbers of test patients that the gate accepts.
OTHER_PATIENTS = (9, 10, 12, 16, 17, 24, 60)
#: What rare losses take from a patient, and from how many.
RARE_LOSSES = ((0.29, 0.05), (0.25, 0.10), (0.15, 0.05))
QUARTER_SCATTER = (0.05, 0.10, 0.15, 0.20)

Draw = Callable[[np.random.Generator], tuple[NDArray[np.float64], NDArray[np.float64]]]


class Share(NamedTuple):
    """Of so many draws: how often the gain was shown, how often the challenger was promoted."""

    shown: float
    promoted: float
    n_draws: int

    def __str__(self) -> str:
        """Both in per cent."""
        return f"gain shown {self.shown:6.1%}, promoted {self.promoted:6.1%}"


def run(n_draws: int = N_DRAWS) -> None:
    """Print the figures and draw the picture."""
    plan, started = read_change_plan(PLAN), time.perf_counter()
    found: dict[str, dict[object, Share]] = {"equal": {}, "turns": {}, "gain": {}, "quarter": {}, "lost": {}}
    print(
        f"{n_draws} draws each; alpha {plan.alpha:g} over {plan.looks} looks, {alpha_of_look(1, plan.looks, plan.alpha):.4f} at the first"
    )
    for scatter in SHARED:
        for n in PATIENTS:
            found["equal"][n, scatter] = simulate(equal(n, scatter), plan, n_draws)
            print(f"equal, n={n}, SD {scatter}: {found['equal'][n, scatter]}")
    for n in OTHER_PATIENTS:
        print(f"equal, n={n}, SD 0.20: {simulate(equal(n, '0.20'), plan, n_draws)}")
    for n in PATIENTS:
        found["turns"][n] = Share(*in_turn(n, "0.20", plan, n_draws), n_draws)
        print(
            f"{plan.looks} equal ones in turn, n={n}: replaced {found['turns'][n].promoted:.1%}, its Dice then too high by {found['turns'][n].shown:.3f}"
        )
    for n in (20, 40, 100):
        found["gain"][n] = simulate(better(n, 0.03, 0.06), plan, n_draws)
        print(f"+0.03, SD 0.06, n={n}: {found['gain'][n]}; said before: {said(0.03, 0.06, n, plan):.1%}")
    for n, gain, sd in ((8, 0.06, 0.06), (12, 0.05, 0.06), (24, 0.08, 0.15), (60, 0.05, 0.15)):
        print(
            f"+{gain}, SD {sd}, n={n}: {simulate(better(n, gain, sd), plan, n_draws)}; said before: {said(gain, sd, n, plan):.1%}"
        )
    for sd in QUARTER_SCATTER:
        found["quarter"][sd] = simulate(failing_quarter(40, sd), plan, n_draws)
        print(f"a quarter at -0.15, mean +0.05, n=40, SD {sd}: {found['quarter'][sd]}")
    for n in (8, 20, 40, 100):
        found["lost"][n] = simulate(lost_masks(n), plan, n_draws)
        print(f"5 % of masks lost, mean 0, n={n}: {found['lost'][n]}; draws without a lost mask {0.95**n:.1%}")
    _tell_rare_losses(plan, n_draws)
    print(f"liver +0.10, tumor -0.06: promoted {organs(plan, max(50, n_draws // 20)):.1%}")
    PICTURE.write_bytes(draw(found))
    print(f"{time.perf_counter() - started:.0f} s; picture at docs/pictures/{PICTURE.name}")


def _tell_rare_losses(plan: ChangePlan, n_draws: int) -> None:
    for loss, chance in RARE_LOSSES:
        for n in PATIENTS:
            share = simulate(rare_losses(n, loss, chance), plan, n_draws)
            print(f"{chance:.0%} lose {loss}, mean 0, n={n}: {share}; draws without a loss {(1 - chance) ** n:.1%}")


def simulate(draw_one: Draw, plan: ChangePlan, n_draws: int, *, looks_spent: int = 0) -> Share:
    """Judge challengers that are drawn, and say how often the gain was shown and the challenger promoted."""
    shown = promoted = 0
    for number, random in enumerate(generators(n_draws)):
        champion, challenger = draw_one(random)
        gain_shown = may_pass(champion, challenger, plan, looks_spent)
        shown += gain_shown
        if gain_shown or number < N_CHECKED:
            found = judged(champion, challenger, plan, random, looks_spent)
            if found.promote and not gain_shown:
                raise RuntimeError("Expected no promotion without a shown gain, found one.")
            promoted += found.promote
    return Share(shown / n_draws, promoted / n_draws, n_draws)


def in_turn(n: int, scatter: str, plan: ChangePlan, n_draws: int) -> tuple[float, float]:
    """Return by how much a replaced champion's Dice is too high, and how often equal challengers in turn replace the first."""
    replaced, too_high = 0, []
    for random in generators(n_draws):
        difficulty = random.normal(MEAN_DICE, SD_DICE, n)
        often_missed = random.random(n) < MISSED_FRACTION
        first = champion = one_of(difficulty, often_missed, scatter, random)
        for look in range(plan.looks):
            challenger = one_of(difficulty, often_missed, scatter, random)
            if may_pass(champion, challenger, plan, look) and judged(champion, challenger, plan, random, look).promote:
                champion = challenger
        if champion is not first:
            replaced += 1
            too_high.append(float(champion.mean() - MEAN_DICE * (1.0 - MISSED_FRACTION)))
    return float(np.mean(too_high)) if too_high else 0.0, replaced / n_draws


def equal(n: int, scatter: str) -> Draw:
    """Two models of one kind: who is missed, and a little noise, is all that differs."""

    def draw_one(random: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        difficulty, often_missed = random.normal(MEAN_DICE, SD_DICE, n), random.random(n) < MISSED_FRACTION
        return one_of(difficulty, often_missed, scatter, random), one_of(difficulty, often_missed, scatter, random)

    return draw_one


def one_of(
    difficulty: NDArray[np.float64], often_missed: NDArray[np.bool_], scatter: str, random: np.random.Generator
) -> NDArray[np.float64]:
    """Draw one model's Dice: it misses those who are often missed, or as many others."""
    others = random.random(len(difficulty)) < MISSED_FRACTION
    own = np.where(random.random(len(difficulty)) < np.sqrt(SHARED[scatter]), often_missed, others)
    return np.where(own, 0.0, (difficulty + random.normal(0.0, SD_NOISE, len(difficulty))).clip(0.05, 0.97))


def better(n: int, gain: float, sd: float) -> Draw:
    """A true gain, and normal scatter around it."""

    def draw_one(random: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        champion = random.normal(0.6, 0.05, n)
        return champion, champion + random.normal(gain, sd, n)

    return draw_one


def failing_quarter(n: int, sd: float) -> Draw:
    """A quarter of patients, whom nothing names, loses 0.15; the others gain so much that the mean is +0.05."""

    def draw_one(random: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        champion = random.normal(0.6, 0.05, n)
        gains = np.where(random.permutation(n) < n // 4, -0.15, (0.05 + 0.15 / 4) / 0.75)
        return champion, champion + gains + random.normal(0.0, sd, n)

    return draw_one


def lost_masks(n: int) -> Draw:
    """One patient in twenty loses the whole mask; the others gain so much that the mean is 0."""

    def draw_one(random: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        champion = random.normal(0.6, 0.05, n)
        gains = random.normal(0.05 * 0.6 / 0.95, 0.03, n)
        return champion, np.where(random.random(n) < 0.05, 0.0, champion + gains)

    return draw_one


def rare_losses(n: int, loss: float, chance: float) -> Draw:
    """Some patients lose so much, less than what counts as a lost mask; the others gain so much that the mean is 0."""

    def draw_one(random: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        champion = random.normal(0.6, 0.05, n)
        gains = np.where(random.random(n) < chance, -loss, chance * loss / (1.0 - chance))
        return champion, champion + gains + random.normal(0.0, 0.005, n)

    return draw_one


def organs(plan: ChangePlan, n_draws: int) -> float:
    """Return how often a tumor at -0.06 passes beside a liver at +0.10, in every patient."""
    promoted = 0
    for random in generators(n_draws):
        dice = random.normal(0.6, 0.05, (2, 40))
        ours = pd.concat([table_of(dice[0] + 0.10, "liver"), table_of(dice[1] - 0.06, "tumor")], ignore_index=True)
        theirs = pd.concat([table_of(dice[0], "liver"), table_of(dice[1], "tumor")], ignore_index=True)
        promoted += judge(ours, theirs, plan, looks_spent=0, subgroups=None, same_test_set=True).promote
    return promoted / n_draws


def said(gain: float, sd: float, n: int, plan: ChangePlan) -> float:
    """Return the power that is stated before training, for the first look."""
    return power(gain, sd, n, alpha_of_look(1, plan.looks, plan.alpha))


def may_pass(
    champion: NDArray[np.float64], challenger: NDArray[np.float64], plan: ChangePlan, looks_spent: int
) -> bool:
    """Tell whether the judgement's own test of the primary gain holds."""
    return claim_p(challenger - champion) <= alpha_of_look(looks_spent + 1, plan.looks, plan.alpha)


def judged(
    champion: NDArray[np.float64],
    challenger: NDArray[np.float64],
    plan: ChangePlan,
    random: np.random.Generator,
    looks_spent: int,
) -> Judgement:
    """Judge one pair, with patients of either sex."""
    ours, theirs = table_of(challenger), table_of(champion)
    cases = ours[["case_id"]].assign(sex=random.choice(["F", "M"], len(ours)))
    found = judge(ours, theirs, plan, looks_spent=looks_spent, subgroups=cases, same_test_set=True)
    if found.verdict is Verdict.FIRST:
        raise RuntimeError("Expected a comparison, found a first champion.")
    return found


def table_of(dice: NDArray[np.float64], target: str = "tumor") -> pd.DataFrame:
    """Return scores of one tumor a patient; where its Dice is 0 it was missed."""
    # Plain objects: texts of Arrow cost the judgement half of its time.
    ids, found = pd.Series([f"{i:03}" for i in range(len(dice))], dtype=object), dice > 0.0
    return pd.DataFrame(
        {"case_id": ids, "patient_id": ids, "target": pd.Series([target] * len(dice), dtype=object), "dice": dice, "surface_dice_2mm": dice, "lesion_recall": found.astype(float),
         "reference_ml": 20.0, "predicted_ml": np.where(found, 20.0, 0.0)}
    )  # fmt: skip


def generators(n_draws: int) -> Iterator[np.random.Generator]:
    """Yield a generator a draw, the same in every run."""
    return (np.random.default_rng([SEED, number]) for number in range(n_draws))


def draw(found: dict[str, dict[object, Share]]) -> bytes:
    """Draw what is promoted, by situation, against what is allowed."""
    figure = Figure(figsize=(10.5, 3.4), dpi=110, layout="constrained")
    axes = figure.subplots(1, 3)
    for scatter in SHARED:
        axes[0].plot(
            range(4), [100 * found["equal"][n, scatter].promoted for n in PATIENTS], "o-", label=f"equal, SD {scatter}"
        )
    turns = [n for n in PATIENTS if n in found["turns"]]
    in_turn_percent = [100 * found["turns"][n].promoted for n in turns]
    axes[0].plot([PATIENTS.index(n) for n in turns], in_turn_percent, "s--", color="black", label="20 equal in turn")
    axes[0].axhline(3, color="#D55E00", linewidth=0.8)
    axes[0].set(
        xticks=range(4),
        xticklabels=PATIENTS,
        xlabel="test patients",
        ylabel="promoted (%)",
        title="Equal: at most 3 %, in turn 6 %",
        ylim=(0, 8),
    )
    axes[0].legend(fontsize=7)
    sizes = list(found["gain"])
    axes[1].plot(range(len(sizes)), [100 * found["gain"][n].promoted for n in sizes], "o-", color="#009E73")
    axes[1].axhline(80, color="#D55E00", linewidth=0.8)
    axes[1].set(
        xticks=range(len(sizes)),
        xticklabels=sizes,
        xlabel="test patients",
        title="+0.03, SD 0.06: at least 80 %",
        ylim=(0, 102),
    )
    axes[2].plot(
        range(4),
        [100 * found["quarter"][sd].promoted for sd in QUARTER_SCATTER],
        "o-",
        label="a quarter at -0.15",
        color="#0072B2",
    )
    axes[2].axhline(10, color="#D55E00", linewidth=0.8)
    axes[2].set(
        xticks=range(4),
        xticklabels=QUARTER_SCATTER,
        xlabel="SD of the others",
        title="Harm at n = 40: at most 10 %",
        ylim=(0, 20),
    )
    axes[2].axhline(100 * found["lost"][40].promoted, linestyle="--", color="black", label="5 % of masks lost")
    axes[2].legend(fontsize=7)
    return to_png(figure)
