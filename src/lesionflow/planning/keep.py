"""Keeping a plan while more data of the same kind arrive: what was preprocessed stays, and models stay comparable."""

from lesionflow.data.plan import Decision, Plan
from lesionflow.planning.diff import intensities_moved


def keep_while_near(fresh: Plan, previous: Plan, tolerance_fraction: float, pinned: frozenset[str]) -> Plan:
    """Keep the measured spacing and intensities of the previous plan where the data moved them by little.

    Args:
        fresh: The plan that the data of now ask for.
        previous: The plan that the arrays were made with.
        tolerance_fraction: How far spacing may move, as a fraction of itself; a window, of its width; mean and deviation, of
            the deviation. 0 always takes the fresh plan.
        pinned: What params say and data don't: `spacing` and `window` are then taken from the fresh plan.

    Returns:
        The fresh plan, with the spacing and channels of the previous one when both are near, all or none: arrays are made
        anew as a whole or not at all.
    """
    if previous.dataset != fresh.dataset or len(previous.channels) != len(fresh.channels):
        return fresh
    channels = zip(previous.channels, fresh.channels, strict=True)
    moved = max(_spacing_moved(fresh, previous, pinned), *(max(intensities_moved(old, new)) for old, new in channels))
    window = [(c.lower, c.upper) for c in fresh.channels] != [(c.lower, c.upper) for c in previous.channels]
    same = fresh.spacing_mm == previous.spacing_mm and fresh.channels == previous.channels
    if same or moved > tolerance_fraction or ("window" in pinned and window):
        return fresh
    why = f"the previous plan's: the data moved them by {moved:.1%}, up to {tolerance_fraction:.0%} they are kept"
    kept = Decision(what="spacing and intensities", value="kept", why=why)
    figures = [d for d in previous.decisions if d.what.startswith(("spacing of", "intensities of"))]
    others = [d for d in fresh.decisions if not d.what.startswith(("spacing of", "intensities of"))]
    content = {"spacing_mm": previous.spacing_mm, "channels": previous.channels}
    return fresh.model_copy(update={**content, "decisions": (*figures, *others, kept)})


def _spacing_moved(fresh: Plan, previous: Plan, pinned: frozenset[str]) -> float:
    moved = 0.0
    for now, before in zip(fresh.spacing_mm, previous.spacing_mm, strict=True):
        if (now is None) != (before is None) or ("spacing" in pinned and now != before):
            return float("inf")
        if now is not None and before is not None:
            moved = max(moved, abs(now - before) / before)
    return moved
