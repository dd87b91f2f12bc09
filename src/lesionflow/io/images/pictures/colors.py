"""The one color that a mask is drawn in: said, since in other files of the set another color may be another class."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesionflow.io.notes import Note, note

MASK_COLOR, SEVERAL_MASK_COLORS = "mask_color", "several_mask_colors"
#: Quarters of full light, which lossy compression and antialiasing leave alone.
SHADES = 4
NAMES = {
    (4, 0, 0): "red",
    (0, 4, 0): "green",
    (0, 0, 4): "blue",
    (4, 4, 0): "yellow",
    (0, 4, 4): "cyan",
    (4, 0, 4): "magenta",
    (4, 2, 0): "orange",
}


def tell_color(drawn: NDArray[Any], name: str) -> None:
    """Say what color a mask of one structure is drawn in, white and gray apart.

    Args:
        drawn: Red, green and blue (pixel, 3) of what is inside, whole numbers.
        name: What to call the case.
    """
    if not len(drawn):
        return
    color = np.median(drawn, axis=0)
    red, green, blue = (int(n) for n in np.rint(color / np.iinfo(drawn.dtype).max * SHADES))
    steps = (red, green, blue)
    if len(set(steps)) > 1:
        called = NAMES.get(steps) or "rgb({}, {}, {})".format(*(round(n * 255 / SHADES) for n in steps))
        note(MASK_COLOR, f"The mask of {name} is drawn in one color, which was taken for inside: {called}")


def differing_colors(cases: Iterable[Sequence[Sequence[str]]]) -> list[Note]:
    """Say of a data set that its masks are drawn in several colors, all taken for one structure.

    Args:
        cases: (code, message) of what was said of each case that is accepted.

    Returns:
        What is to be said of all studies together, if anything.
    """
    found: Counter[str] = Counter()
    for said in cases:
        found.update({message.rpartition(": ")[2] for code, message in said if code == MASK_COLOR} or {"white or none"})
    if len(found) < 2:
        return []
    counted = ", ".join(f"{color} in {n} cases" for color, n in found.most_common())
    return [
        Note(
            SEVERAL_MASK_COLORS,
            f"Masks are drawn in several colors, all of which were taken for one structure: {counted}. If each color is a class, "
            "save the labels as gray values, and declare them in ingest.labels.",
        )
    ]
