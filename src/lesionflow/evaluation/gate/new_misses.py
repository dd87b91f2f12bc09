"""Large lesions that the champion finds and the challenger misses: counted lesion by lesion, judged by patient, in all and in each declared group.

A lesion found elsewhere does not undo one that is missed: what is said counts both. Two things are harm. More patients lose large lesions than gain
them (a patient who does both by which volume is more; exact, as of two models that are alike each is as often the one that loses). Or so large a
share of what the champion finds is gone that chance is ruled out, and no more patients gain than lose: that sees a hospital of four patients, which a
count of signs never shows, and lesions that are traded for others as large.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lesionflow.config.change_plan import ChangePlan
from lesionflow.evaluation.empty_masks import KEYS, MISSED, outcomes
from lesionflow.evaluation.gate.paired_scores import ScoredPair
from lesionflow.evaluation.gate.verdict import Reason, some_of
from lesionflow.evaluation.gate.wording import told_apart
from lesionflow.evaluation.statistics.mcnemar import mcnemar_p
from lesionflow.evaluation.statistics.rates import clopper_pearson
from lesionflow.evaluation.subgroups import groups_of

#: The tables of lesions of challenger and champion.
Lesions = tuple[pd.DataFrame, pd.DataFrame]
#: The share of the champion's large lesions, a patient's mean, that may be newly missed: more, shown, is harm. All of three patients show it.
MOST_MISSED = 0.25


class NewMisses(NamedTuple):
    """What of some patients is newly missed and newly found.

    Args:
        lesions_missed: Large lesions that the champion alone found.
        lesions_found: Those that the challenger alone found.
        missing: Patients with any of the first.
        finding: Patients with any of the second.
        losing: Patients of whom more volume is newly missed than newly found.
        gaining: The other way.
        share: Of what the champion found in a patient, how much is newly missed: the mean of the patients.
        share_low: What that is at least, but for the plan's alpha.
        patients: With a large lesion that the champion found.
    """

    lesions_missed: int
    lesions_found: int
    missing: int
    finding: int
    losing: int
    gaining: int
    share: float
    share_low: float
    patients: int

    @property
    def p(self) -> float:
        """Of two models that are alike: how often do so many patients lose, of those who lose or gain?"""
        return mcnemar_p(self.losing, self.gaining)

    @property
    def too_large_a_share(self) -> bool:
        """Whether more than `MOST_MISSED` is shown to be gone, and no more patients gain than lose."""
        return self.share_low > MOST_MISSED and self.losing >= self.gaining

    def figures(self) -> dict[str, float]:
        """Return what a decision keeps."""
        return {
            "n_new_misses": float(self.missing),
            "n_new_finds": float(self.finding),
            "n_losing": float(self.losing),
            "n_gaining": float(self.gaining),
            "p": self.p,
            "missed_share": self.share,
            "missed_share_low": self.share_low,
        }


def no_new_misses(
    pair: ScoredPair, plan: ChangePlan, lesions: Lesions | None, subgroups: pd.DataFrame | None
) -> list[Reason]:
    """Say whether large lesions are newly missed, by all patients and by those of each declared group.

    Args:
        pair: Both tables.
        plan: Which lesions are large, and at which level misses are too many.
        lesions: The tables of lesions of both; without them a case with a large tumor is one lesion, found where its mask is not empty.
        subgroups: The case table; None where no groups are known.
    """
    large_ml, alpha = plan.safety.large_lesion_ml, plan.safety.max_new_misses_alpha
    rows = _by_case(pair, large_ml) if lesions is None else _by_lesion(lesions, large_ml)
    seen = count_new_misses(rows, alpha)
    held = seen.p > alpha and not seen.too_large_a_share
    detail = f"Lesions of {large_ml:g} ml and more: {_told(seen, rows, alpha)}"
    reasons = [Reason("no_new_misses", held, detail, seen.figures(), refuses=True)]
    if subgroups is None:
        return reasons
    groups = {
        f"{column} {group}": part
        for column in plan.subgroups.columns
        if column in subgroups
        for group, part in _parts(rows, subgroups, column)
    }
    return [*reasons, _by_group(groups, large_ml, alpha)] if groups else reasons


def count_new_misses(rows: pd.DataFrame, alpha: float) -> NewMisses:
    """Count lesions, patients, and who of them loses.

    Args:
        rows: A row a large lesion: `patient_id`, `volume_ml`, and whether `ours` (the challenger) and `theirs` found it.
        alpha: Of the bound of the share, one-sided.
    """
    patients, names = pd.factorize(rows["patient_id"])
    ours, theirs = (rows[side].to_numpy(dtype=bool) for side in ("ours", "theirs"))
    missed, found = theirs & ~ours, ours & ~theirs
    volume = rows["volume_ml"].to_numpy(dtype=float)

    def total(weights: NDArray[np.generic]) -> NDArray[np.float64]:
        return np.bincount(patients, weights.astype(float), len(names)).astype(np.float64)

    lost, n_missed, n_theirs = total(volume * missed) - total(volume * found), total(missed), total(theirs)
    has = n_theirs > 0
    shares = n_missed[has] / n_theirs[has]
    return NewMisses(
        int(missed.sum()),
        int(found.sum()),
        int((n_missed > 0).sum()),
        int((total(found) > 0).sum()),
        int((lost > 0).sum()),
        int((lost < 0).sum()),
        float(shares.mean()) if len(shares) else 0.0,
        # Of all shares in 0..1 with one mean, none scatter as much as those that are 0 or 1: a patient missed by half is half a patient.
        clopper_pearson(float(shares.sum()), len(shares), 1.0 - 2.0 * alpha)[0] if len(shares) else 0.0,
        int(has.sum()),
    )


def level_of_groups(n_deciding: list[int], alpha: float) -> float:
    """Return the level at which each group is tested, so that all together are wrong no more often than alpha.

    Groups of so few that no outcome could reach the level cost nothing.

    Args:
        n_deciding: Of each group, patients who lose or gain.
        alpha: Of all groups together.

    References:
        Tarone 1990, DOI 10.2307/2531456.

    Examples:
        >>> level_of_groups([10, 3, 2, 1], 0.05), level_of_groups([10, 8, 2], 0.05)
        (0.05, 0.025)
    """
    for tests in range(1, len(n_deciding) + 1):
        if sum(0.5**n <= alpha / tests for n in n_deciding) <= tests:
            return alpha / tests
    return alpha


def _by_group(groups: dict[str, pd.DataFrame], large_ml: float, alpha: float) -> Reason:
    seen = {name: count_new_misses(part, alpha) for name, part in groups.items()}
    level = level_of_groups([one.losing + one.gaining for one in seen.values()], alpha)
    harmed = [name for name, one in seen.items() if one.p <= level or one.too_large_a_share]
    least = min((one.p for one in seen.values()), default=1.0)
    most = max((one.share_low for one in seen.values()), default=0.0)
    figures = {"n_groups": float(len(groups)), "n_harmed": float(len(harmed)), "p": least, "level": level}
    detail = (
        f"Lesions of {large_ml:g} ml and more in each of {len(groups)} declared groups: in none are they newly missed too often."
        if not harmed
        else " ".join(
            f"Lesions of {large_ml:g} ml and more in patients with {name}: {_told(seen[name], groups[name], level)}"
            for name in harmed
        )
    )
    return Reason("no_new_misses_by_group", not harmed, detail, {**figures, "missed_share_low": most}, refuses=True)


def _told(seen: NewMisses, rows: pd.DataFrame, level: float) -> str:
    detail = f"{seen.lesions_missed} newly missed in {seen.missing} patients, {seen.lesions_found} newly found in {seen.finding}"
    if not seen.missing:
        return f"{detail}."
    named = some_of(sorted(rows.loc[rows["theirs"] & ~rows["ours"], "case_id"].astype(str).unique()))
    p_text, limit = told_apart(seen.p, level, 2)
    detail += (
        f" (missed: {named}). More volume is lost than gained in {seen.losing} patients, less in {seen.gaining} (p = {p_text}, "
        f"{'more than' if seen.p > level else 'not more than'} {limit})."
    )
    if seen.too_large_a_share:
        low, most = told_apart(seen.share_low, MOST_MISSED, 2)
        detail += (
            f" Of what the champion finds in a patient, {seen.share:.0%} is newly missed on average, at least {low} of it as the {seen.patients} patients "
            f"show; {most} is allowed, unless more patients gain than lose."
        )
    return detail


def _parts(rows: pd.DataFrame, subgroups: pd.DataFrame, column: str) -> list[tuple[str, pd.DataFrame]]:
    groups = groups_of(subgroups.set_index("case_id")[column], column)
    named = rows["case_id"].map(groups[~groups.index.duplicated()])
    return [(str(group), rows[named == group]) for group in sorted(named.dropna().unique())]


def _by_lesion(lesions: Lesions, large_ml: float) -> pd.DataFrame:
    """Return a row a large lesion; both tables are of one reference and one code, so that volume and order tell which is which."""
    about, sides = [*KEYS, "patient_id", "volume_ml"], []
    for table, side in zip(lesions, ("ours", "theirs"), strict=True):
        large = table[(table["kind"] == "reference") & (table["volume_ml"] >= large_ml)]
        found = large[about].assign(number=large.groupby(about).cumcount())
        sides.append(found.assign(**{side: large["matched"].astype(bool)}))
    both = sides[0].merge(sides[1], on=[*about, "number"], how="outer")
    # What one table lacks, that model did not find.
    return both.assign(ours=both["ours"].eq(True), theirs=both["theirs"].eq(True))


def _by_case(pair: ScoredPair, large_ml: float) -> pd.DataFrame:
    """Return a row a case and target whose tumor is large, as if it were one lesion."""
    about = pair.challenger[[*KEYS, "patient_id"]]
    if "reference_ml" not in pair.challenger:
        return about.iloc[:0].assign(volume_ml=0.0, ours=False, theirs=False)
    missed = [table[KEYS].assign(missed=outcomes(table) == MISSED) for table in (pair.challenger, pair.champion)]
    large = (pair.challenger["reference_ml"] >= large_ml).to_numpy()
    both = missed[0][large].merge(missed[1], on=KEYS, how="left", suffixes=("", "_champion"))
    return about[large].assign(
        volume_ml=pair.challenger.loc[large, "reference_ml"].to_numpy(dtype=float),
        ours=~both["missed"].to_numpy(dtype=bool),
        theirs=~both["missed_champion"].to_numpy(dtype=bool),
    )
