"""The gate: whether a challenger becomes champion. A pure function of two score tables and the rules."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from lesionflow.evaluation.empty_masks import KEYS, NEITHER, comparable, outcomes
from lesionflow.evaluation.statistics import mean_interval

#: Cases named in a sentence.
MAX_NAMED_CASES = 5


class Reason(NamedTuple):
    """One rule: whether it held, in words, and with its figures."""

    rule: str
    held: bool
    detail: str
    figures: dict[str, float]


class PromotionDecision(NamedTuple):
    """Whether the challenger becomes champion; every rule, held or not."""

    promote: bool
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class PromotionRules:
    """What a challenger must hold; the names of params section `promote`.

    `direction` is the metric's: +1 where higher is better, -1 where lower is. With -1, `min_score` is a ceiling and
    `min_gain` is how much lower the challenger must be.
    """

    metric: str
    direction: int
    min_test_patients: int
    min_score: float
    min_gain: float
    confidence_level: float
    n_bootstrap: int
    seed: int


def decide(
    challenger: pd.DataFrame, champion: pd.DataFrame | None, rules: PromotionRules, *, same_test_set: bool
) -> PromotionDecision:
    """Decide whether the challenger becomes champion.

    The rules: both were scored on the same locked test set; no score is undefined for one alone; there are enough
    patients; the challenger's mean reaches the floor; and, where there is a champion, the lower bound of the bootstrap
    interval of the mean difference, paired by patient, lies above `min_gain`. Rows undefined for both, such as a
    surface distance where there is no tumor and none was predicted, are left out. A missed tumor or a false alarm is not: where it has
    no finite score it has the worst (`evaluation.empty_masks`). Means are over patients, so that one with many follow-ups does not
    outweigh the others.

    Args:
        challenger: A row a case and target: `case_id`, `patient_id`, `target` and the metric's column.
        champion: The champion's, None when there is no champion.
        rules: What must hold.
        same_test_set: Whether the challenger was scored on the test set as it now is.

    Returns:
        The decision, with every rule and its figures.

    References:
        Paired bootstrap: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13 (percentiles).
    """
    reasons = [_same_test_set(challenger, champion, same_test_set=same_test_set)]
    scores = _paired(challenger, champion, rules.metric)
    reasons.append(_scores_defined(scores, champion is not None))
    defined = scores.dropna(subset=["challenger"] if champion is None else ["challenger", "champion"])
    by_patient = defined.groupby("patient_id", sort=True)[["challenger", "champion"]].mean()
    n_worst = int(defined["challenger_worst"].sum())
    reasons += [_enough_patients(by_patient, rules), _min_score(by_patient, rules, n_worst)]
    if champion is None:
        reasons.append(Reason("better_than_champion", held=True, detail="There is no champion yet.", figures={}))
    else:
        reasons.append(_better(by_patient, rules))
    return PromotionDecision(all(reason.held for reason in reasons), tuple(reasons))


def _paired(challenger: pd.DataFrame, champion: pd.DataFrame | None, metric: str) -> pd.DataFrame:
    """Return a row a case and target that the challenger has, with both scores; NaN where there is none.

    A miss or false alarm without a finite score has the worst; `challenger_worst` says where.
    """
    models = [table.drop_duplicates(KEYS) for table in (challenger, champion) if table is not None]
    values, infinite = comparable(models, metric)
    scores = models[0][[*KEYS, "patient_id"]].assign(
        challenger=values[0].to_numpy(),
        challenger_worst=infinite[0].to_numpy(),
        nothing_to_find=(outcomes(models[0]) == NEITHER).to_numpy(),
    )
    return scores.assign(champion=values[1].to_numpy() if champion is not None else math.nan)


def _same_test_set(challenger: pd.DataFrame, champion: pd.DataFrame | None, *, same_test_set: bool) -> Reason:
    ours = list(challenger[KEYS].itertuples(index=False, name=None))
    theirs = ours if champion is None else list(champion[KEYS].itertuples(index=False, name=None))
    odd = set(ours) ^ set(theirs)
    twice = len(ours) - len(set(ours)) + len(theirs) - len(set(theirs))
    if not same_test_set:
        detail = "The challenger was scored on another test set than the present one. Run evaluate again."
    elif odd:
        named = _some(sorted({str(case_id) for case_id, _ in odd}))
        detail = f"Scored for one model only: {named}. Both must be scored on the same cases and targets."
    elif twice:
        detail = f"{twice} cases are scored twice."
    else:
        detail = f"Scored on the same {len(ours)} cases and targets."
    held = same_test_set and not odd and not twice
    return Reason("same_test_set", held, detail, {"n_scores": float(len(ours)), "n_unpaired": float(len(odd))})


def _scores_defined(scores: pd.DataFrame, has_champion: bool) -> Reason:  # noqa: FBT001
    missing = scores["challenger"].isna()
    # Of one model alone, a figure may be undefined only where there was nothing to find and nothing was found.
    undefined = missing != (scores["champion"].isna() if has_champion else missing & scores["nothing_to_find"])
    cases = sorted(scores.loc[undefined, "case_id"].astype(str))
    detail = "Every score is a number, or undefined for both."
    if cases:
        detail = f"Undefined for one model: {_some(cases)}. Choose a metric that is defined for every case."
    return Reason("scores_defined", not cases, detail, {"n_undefined": float(len(cases))})


def _enough_patients(by_patient: pd.DataFrame, rules: PromotionRules) -> Reason:
    n_patients = len(by_patient)
    detail = f"{n_patients} patients with a score; at least {rules.min_test_patients} are needed."
    return Reason("enough_patients", n_patients >= rules.min_test_patients, detail, {"n_patients": float(n_patients)})


def _min_score(by_patient: pd.DataFrame, rules: PromotionRules, n_worst: int) -> Reason:
    score = float(by_patient["challenger"].mean()) if len(by_patient) else math.nan
    bound = "at least" if rules.direction > 0 else "at most"
    detail = f"Mean {rules.metric} of the challenger {score:.4f}; {bound} {rules.min_score:g} is needed."
    if n_worst:
        detail += f" {n_worst} cases missed or made up count as far as the image is wide."
    held = rules.direction * score >= rules.direction * rules.min_score
    return Reason("min_score", bool(held), detail, {"score": score, "min_score": rules.min_score})


def _better(by_patient: pd.DataFrame, rules: PromotionRules) -> Reason:
    gains = rules.direction * (by_patient["challenger"] - by_patient["champion"]).to_numpy(dtype=np.float64)
    low, high = mean_interval(
        gains, n_bootstrap=rules.n_bootstrap, confidence_level=rules.confidence_level, seed=rules.seed
    )
    gain = float(gains.mean()) if len(gains) else math.nan
    figures = {
        "champion_score": float(by_patient["champion"].mean()) if len(by_patient) else math.nan,
        "gain": gain,
        "gain_low": low,
        "gain_high": high,
        "min_gain": rules.min_gain,
    }
    detail = (
        f"Mean gain in {rules.metric} over the champion {gain:+.4f}, {rules.confidence_level:.0%} interval "
        f"{low:+.4f} to {high:+.4f}; its lower bound must lie above {rules.min_gain:g}."
    )
    return Reason("better_than_champion", low > rules.min_gain, detail, figures)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - MAX_NAMED_CASES} more" if len(names) > MAX_NAMED_CASES else ""
    return ", ".join(names[:MAX_NAMED_CASES]) + more
