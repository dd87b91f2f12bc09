"""How a figure is written beside the bound that it is held against, and at which level a bound is known."""

import math

#: So many digits tell any two numbers of the machine apart.
MOST_DIGITS = 17


def told_apart(
    value: float, bound: float, digits: int = 3, *, bound_digits: int = 6, sign: str = "-"
) -> tuple[str, str]:
    """Write a value and its bound with as many significant digits as it takes to see which is more.

    Rounded alike, -0.0504 would read -0.05 beside a bound of -0.05 that it breaks.

    Args:
        value: What was measured.
        bound: What it is held against.
        digits: Of the value at least.
        bound_digits: Of the bound at least.
        sign: "+" writes the value's sign always, "-" only that of a negative one.

    Returns:
        Both as text; alike only where both are the same number, or one is none.

    Examples:
        >>> told_apart(-0.0504, -0.05), told_apart(-0.08123, -0.05), told_apart(0.02501, 0.025, 2, bound_digits=2)
        (('-0.0504', '-0.05'), ('-0.0812', '-0.05'), ('0.02501', '0.025'))
    """
    for more in range(MOST_DIGITS - min(digits, bound_digits) + 1):
        texts = (
            f"{value:{sign}.{min(digits + more, MOST_DIGITS)}g}",
            f"{bound:.{max(bound_digits, min(digits + more, MOST_DIGITS))}g}",
        )
        shown = float(texts[0]) - float(texts[1])
        if math.isnan(shown) or value == bound or shown * (value - bound) > 0.0:
            break
    return texts


def better_or_worse(gain: float, bound: float, unit: str = "") -> str:
    """Say how much better or worse, whichever way a metric points, so exactly that the bound is seen to be kept or not.

    Args:
        gain: What was measured, positive where better.
        bound: What it is held against.
        unit: Of both.

    Examples:
        >>> better_or_worse(-0.0504, -0.05), better_or_worse(1.5, -2.0, "mm"), better_or_worse(0.0, -0.05)
        ('worse by 0.0504', 'better by 1.5 mm', 'neither better nor worse')
    """
    if math.isnan(gain) or gain == 0.0:
        return "neither better nor worse"
    text = told_apart(gain, bound)[0].lstrip("-")
    return f"{'better' if gain > 0.0 else 'worse'} by {text}{f' {unit}' if unit else ''}"


def at_level(alpha: float) -> str:
    """Say how sure a one-sided bound is that is wrong in a share `alpha` of all tests.

    Examples:
        >>> at_level(0.025), at_level(0.0042)
        ('with 97.5 % confidence', 'with 99.58 % confidence')
    """
    return f"with {100.0 * (1.0 - alpha):.4g} % confidence"
