"""What a mask's pixels mean where what is stored and what is seen differ: palettes, white that is stored as zero, few bits."""

from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from lesionflow.errors import RasterError
from lesionflow.io.images.pictures.colors import tell_color
from lesionflow.io.labels import INSIDE

BLACK, WHITE = 0, 255


def labels_of_palette(
    index: NDArray[np.uint8], colors: NDArray[np.uint8], labels: tuple[int, ...], *, name: str
) -> NDArray[np.uint8]:
    """Return the values of a mask with a palette.

    Gray palettes are read as `stored_or_seen`. In a colored one the index is the label (Pascal VOC, ITK-SNAP), as long as black
    is no other index than 0; where it is, or where the palette has no other color, one color on black is inside.

    Args:
        index: What is stored (row, column).
        colors: Red, green and blue by index.
        labels: The values that are labels.
        name: What to call it in messages.

    Returns:
        Label values; 255 for inside.

    Raises:
        RasterError: `contradicting_palette`, `inverted_mask`, `unknown_label` where one class of a table is no label.
    """
    used = np.unique(index)
    shown = colors[used].astype(int)
    if (shown == shown[:, :1]).all():
        return stored_or_seen(index, np.asarray(colors[index][..., 0]), labels, name=name, is_palette=True)
    black = used[(shown == BLACK).all(axis=1)]
    is_one = len(used) == 2 and len(black) > 0 and len(labels) == 1
    if is_one and _is_table(colors, int(used[1]), int(black[0])):
        if used[1] not in (1, *labels):
            _refuse(
                "unknown_label",
                f"Expected the label {labels[0]} in the mask of {name}, whose palette names several classes, found class {used[1]} "
                "alone. Declare it in ingest.labels.",
            )
    elif is_one:
        inside = index != black[0]
        tell_color(colors[index[inside]], name)
        return np.where(inside, np.uint8(255), np.uint8(0))
    white_first = bool(len(used) and (shown[0] == WHITE).all())
    if (len(black) and black[0] != 0) or (not len(black) and not white_first and (shown == WHITE).all(axis=1).any()):
        _refuse(
            "contradicting_palette",
            f"Expected background to be index 0 in the palette of the mask of {name}, found black or white elsewhere: index and "
            "color contradict each other. Save the labels as gray values.",
        )
    return index


def _is_table(colors: NDArray[np.uint8], drawn: int, background: int) -> bool:
    """Tell a table of classes, of which one is drawn, from the palette of a drawing in one color, or in shades of full light."""
    others = np.unique(colors[(colors > 0).any(axis=1)], axis=0)
    is_full = drawn == INSIDE[1] and bool(np.isin(colors[drawn], (BLACK, WHITE)).all())
    return background == 0 and len(others) > 1 and not is_full


def stored_or_seen(
    stored: NDArray[Any], seen: NDArray[np.uint8], labels: tuple[int, ...], *, name: str, is_palette: bool = False
) -> NDArray[Any]:
    """Return the one of two readings that is meant: black and white are what is seen, labels what is stored, or what fits alone.

    Args:
        stored: The numbers in the file.
        seen: The gray values that they stand for.
        labels: The values that are labels.
        name: What to call it in messages.
        is_palette: Whether a palette says what is seen, which then may not grow darker with the labels.

    Returns:
        One of the two.

    Raises:
        RasterError: `inverted_mask` where white, stored as 0, is most of the picture; `contradicting_palette` where both fit.
    """
    if np.array_equal(stored, seen):
        return stored
    values, gray = set(np.unique(stored).tolist()), set(np.unique(seen).tolist())
    if gray <= {BLACK, WHITE}:
        if np.any(seen[stored == 0] == WHITE) and np.mean(seen == WHITE) > 0.5:
            _refuse(
                "inverted_mask",
                f"Expected a mask in white on black in {name}, found white, stored as 0, in most of it: which of the two is the "
                "lesion can't be told. Save it again without a palette, white inside.",
            )
        return seen
    allowed = {0, *labels, *(INSIDE if len(labels) == 1 else ())}
    falls = bool(np.any(np.diff([int(seen[stored == value].max()) for value in sorted(values)]) < 0))
    if values <= allowed and (gray <= allowed or (falls and is_palette)):
        _refuse(
            "contradicting_palette",
            f"Expected what is stored and what is seen to say the same in the mask of {name}, found labels by either and not the "
            "same. Save the labels as gray values, without a palette.",
        )
    return seen if gray <= allowed else stored


def _refuse(reason: str, message: str) -> NoReturn:
    raise RasterError(message, reason=reason)
