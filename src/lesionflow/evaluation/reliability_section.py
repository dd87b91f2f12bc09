"""The report's answer to whether the model knows how sure it may be; what it says follows from `reliability`."""

from lesionflow.evaluation.page import Cell, figure_cell, interval, table, words
from lesionflow.evaluation.reliability import FAILED_DICE, LEAST_PROBABILITY, Reliability
from lesionflow.evaluation.statistics import Estimate
from lesionflow.evaluation.statistics.rates import clopper_pearson

#: Of the exact intervals of shares of masks.
LEVEL = 0.95
#: Fewer failed patients than these rank nothing.
FEW_FAILED = 5


def reliability_section(found: Reliability) -> str:
    """Return the section as HTML; empty where the model said nothing that can be measured."""
    rows = [
        [words(name), figure_cell(of.mean), Cell(interval(of)), Cell(str(of.n))]
        for name, of in _estimates(found)
        if of.n
    ]
    rows += _ranking(found) + _review(found)
    if not rows:
        return ""
    notes = [f"{found.n_flagged} of {found.n_cases} cases were called unlike the training data."]
    if not found.coverage.n:
        notes = ["The bundle was not calibrated: it says no interval and predicts no Dice."]
    notes += _few(found)
    return (
        "<h3>Does it know how sure it may be?</h3>"
        f"{table(('its words', 'measured here', 'interval', 'patients'), rows)}<p class='note'>{' '.join(notes)}</p>"
    )


def _estimates(found: Reliability) -> list[tuple[str, Estimate]]:
    covered = f"a volume interval stated for {found.stated_coverage:.0%} of cases holds for"
    if found.coverage_low == found.coverage_low:
        band = f"so few validation patients allow {found.coverage_low:.0%} to {found.coverage_high:.0%}"
        covered = f"a volume interval stated for {found.stated_coverage:.0%} of cases ({band}) holds for"
    return [
        ("calibration error of voxels (ECE)", found.ece),
        (f"tumor voxels given less than {LEAST_PROBABILITY:.0%}, not in the error above", found.unseen),
        (covered, found.coverage),
        ("error of the predicted Dice", found.dice_error),
    ]


def _ranking(found: Reliability) -> list[list[Cell]]:
    ranking = found.ranking
    if not ranking.n_bad or not ranking.n_good:
        return []
    what = f"failed masks (Dice below {FAILED_DICE:g}) are predicted below good ones, share of pairs (AUROC)"
    shown = f"{ranking.low:.3f} to {ranking.high:.3f}"
    n = f"{ranking.n_bad} failed, {ranking.n_good} good"
    return [[words(what), figure_cell(ranking.area), Cell(shown), Cell(n)]]


def _review(found: Reliability) -> list[list[Cell]]:
    review = found.review
    if review is None:
        return []
    rows = []
    shares = {
        f"of failed masks, pointed at for review (stated: {review.stated:.0%})": (review.n_found, review.n_failed),
        "of masks pointed at, failed": (review.n_found, review.n_flagged),
        "of all masks, pointed at": (review.n_flagged, review.n_cases),
    }
    for name, (k, n) in shares.items():
        if n:
            low, high = clopper_pearson(k, n, LEVEL)
            rows.append([words(name), figure_cell(k / n), Cell(f"{low:.3f} to {high:.3f}"), Cell(f"{k} of {n} masks")])
    return rows


def _few(found: Reliability) -> list[str]:
    if not found.dice_error.n:
        return []
    n = found.ranking.n_bad
    told = []
    if n < FEW_FAILED:
        told.append(
            f"{n} test {'patient' if n == 1 else 'patients'} failed: too few to say whether failures are found."
        )
    if found.review is None:
        told.append("Too few validation patients failed to say which masks need review.")
    return told
