"""How a figure is written beside the bound that it is held against, and at which level a bound is known."""

import math

import numpy as np

#: So many digits tell any two numbers of the machine apart.
MOST_DIGITS = 17


def in_digits(value: float, digits: int = 3, *, sign: str = "-") -> str:
    """Write so many significant digits, never by a power of ten: readers take 4.73e-05 for 4.73 or look away.

    Args:
        value: What was measured.
        digits: How many.
        sign: "+" writes the sign always, "-" only that of a negative number.

    Examples:
        >>> in_digits(4.731e-05), in_digits(-0.5, sign="+"), in_digits(0.0213, sign="+"), in_digits(123456.0)
        ('0.0000473', '-0.5', '+0.0213', '123000')
    """
    if not math.isfinite(value):
        return f"{value:{sign}}"
    return np.format_float_positional(value, digits, unique=False, fractional=False, trim="-", sign=sign == "+")


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
            in_digits(value, min(digits + more, MOST_DIGITS), sign=sign),
            in_digits(bound, max(bound_digits, min(digits + more, MOST_DIGITS))),
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
