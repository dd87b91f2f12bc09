"""What changed between two plans, and whether a model trained by the one still fits data that would be planned as the other."""

import math
from typing import NamedTuple

from lesionflow.data.plan import ChannelPlan, Plan

#: A spacing or an intensity window that moves less than this share trains the same model for all that patches show.
TOLERANCE_FRACTION = 0.1
#: A mean that moves less than this share of the standard deviation, likewise.
MEAN_TOLERANCE_STD = 0.1


class PlanDifference(NamedTuple):
    """One decision that is not the same.

    Args:
        what: The decision.
        old: The champion's.
        new: Today's.
        fits: Whether the champion's still does for today's data.
        why: A sentence.
    """

    what: str
    old: str
    new: str
    fits: bool
    why: str


def compare_plans(old: Plan, new: Plan) -> tuple[PlanDifference, ...]:
    """Compare a champion's plan with the one that today's data and params give.

    Args:
        old: The champion's.
        new: Today's.

    Returns:
        A difference for each decision that changed; none when nothing did.
    """
    found = [_channels(old, new), _targets(old, new), *_spacings(old, new)]
    if [c.name for c in old.channels] == [c.name for c in new.channels]:
        found += [_intensities(a, b) for a, b in zip(old.channels, new.channels, strict=True)]
    for what, words in (
        ("denoising", "the model has seen images filtered otherwise"),
        ("bias_field_correction", "the model has seen images filtered otherwise"),
    ):
        found.append(_plain(what, getattr(old, what), getattr(new, what), fits=False, why=words))
    size = "how it was trained; the model finds in its own patches"
    found += [
        _plain(
            "network", _network(old), _network(new), fits=True, why="another network; the old one can still be served"
        ),
        _plain("cascade", _cascade(old), _cascade(new), fits=True, why=size),
        _plain("patch_size", old.patch_size, new.patch_size, fits=True, why=size),
        _plain("batch_size", old.batch_size, new.batch_size, fits=True, why=size),
        _plain("inference", old.inference, new.inference, fits=True, why="how a mask is made; travels with each model"),
    ]
    return tuple(difference for difference in found if difference is not None)


def _channels(old: Plan, new: Plan) -> PlanDifference | None:
    before, now = (", ".join(f"{c.name} ({c.kind})" for c in plan.channels) for plan in (old, new))
    return _plain("channels", before, now, fits=False, why="the model was made for other channels")


def _targets(old: Plan, new: Plan) -> PlanDifference | None:
    before, now = (", ".join(f"{t.name} {t.labels}" for t in plan.targets) for plan in (old, new))
    return _plain("outputs", before, now, fits=False, why="the model finds something else")


def _spacings(old: Plan, new: Plan) -> list[PlanDifference | None]:
    found = []
    for axis, before, now in zip(("slice", "row", "column"), old.spacing_mm, new.spacing_mm, strict=True):
        if before is None or now is None:
            why = "one keeps each study's own slices, the other does not"
            found.append(_plain(f"spacing of {axis}s", _mm(before), _mm(now), fits=False, why=why))
            continue
        moved = abs(now / before - 1)
        near = moved <= TOLERANCE_FRACTION
        why = f"moved by {moved:.0%}; up to {TOLERANCE_FRACTION:.0%} fits"
        found.append(_plain(f"spacing of {axis}s", _mm(before), _mm(now), fits=near, why=why))
    return found


def _intensities(old: ChannelPlan, new: ChannelPlan) -> PlanDifference | None:
    what = f"intensities of {old.name}"
    shown = [_scale(plan) for plan in (old, new)]
    if None in (old.lower, old.upper, old.mean, old.std, new.lower, new.upper, new.mean, new.std):
        return _plain(what, *shown, fits=False, why="the model has seen images scaled otherwise")
    moved, shifted = intensities_moved(old, new)
    fits = moved <= TOLERANCE_FRACTION and shifted <= MEAN_TOLERANCE_STD
    why = f"window moved by {moved:.0%} of its width, mean or deviation by {shifted:.0%} of the deviation; up to 10 % fits"
    return _plain(what, *shown, fits=fits, why=why)


def intensities_moved(old: ChannelPlan, new: ChannelPlan) -> tuple[float, float]:
    """Say how far a channel's intensities moved.

    Returns:
        By how much the window moved, as a fraction of its width; and mean or deviation, of the deviation. Infinity for a
        channel of another name, kind or background, or where only one plan has the figure.
    """
    figures = ("lower", "upper", "mean", "std")
    before, now = ([getattr(plan, name) for name in figures] for plan in (old, new))
    known = [value is not None for value in before]
    if any(getattr(old, name) != getattr(new, name) for name in ("name", "kind", "dark_background")) or known != [
        value is not None for value in now
    ]:
        return math.inf, math.inf
    lower, upper, mean, std = (abs(b - a) if a is not None else 0.0 for a, b in zip(before, now, strict=True))
    width = float((old.upper or 0.0) - (old.lower or 0.0)) or 1.0
    return max(lower, upper) / width, max(mean, std) / float(old.std or 1.0)


def _plain(what: str, old: object, new: object, *, fits: bool, why: str) -> PlanDifference | None:
    return None if old == new else PlanDifference(what, str(old), str(new), fits, why)


def _network(plan: Plan) -> str:
    options = ", ".join(f"{name} {value}" for name, value in sorted(plan.architecture.options.items()))
    return f"{plan.dimensions}D {plan.architecture.name} ({options})"


def _cascade(plan: Plan) -> str:
    if plan.coarse is None:
        return "none"
    factors, patch = (" x ".join(map(str, sizes)) for sizes in (plan.coarse.factors, plan.coarse.patch_size))
    return f"shrunk by {factors}, patches of {patch}"


def _mm(spacing: float | None) -> str:
    return "each study's own" if spacing is None else f"{spacing:g} mm"


def _scale(plan: ChannelPlan) -> str:
    if plan.lower is None or plan.upper is None:
        return "z-score a study" + (", on a dark background" if plan.dark_background else "")
    return f"{plan.lower:g}..{plan.upper:g}, minus {plan.mean:g}, by {plan.std:g}"
