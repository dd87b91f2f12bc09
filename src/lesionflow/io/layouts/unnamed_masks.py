"""Masks whose names do not say so, found by their voxels: never an image of their own."""

from collections.abc import Iterable

from lesionflow.io.layouts.mask_content import looks_like_mask
from lesionflow.io.layouts.pairing import Pair
from lesionflow.io.layouts.role_words import texts
from lesionflow.io.rules import CASE

UNNAMED = (
    "unnamed_mask",
    (
        f"Expected masks of {CASE} to be named as such, found an image that looks like a mask: few whole numbers, mostly one. "
        "Put `_mask` behind the image's name, or put it into a folder `masks`."
    ),
)


def told_by_content(pairs: Iterable[Pair]) -> list[Pair]:
    """Look into images without masks whose names say that they belong to another, and take masks among them for what they are.

    Args:
        pairs: Of one folder, sorted.

    Returns:
        The pairs; an image that looks like a mask and is named after another spoils that one, since it may be a part of its
        outline. The file without a channel's name beside channels of the same case (HECKTOR 2025) is its mask.
    """
    found = list(pairs)
    by_words = {_words(pair): pair for pair in found if pair.images}
    kept = []
    for pair in found:
        _take_unmarked(pair)
        other = None if pair.masks or not pair.images else _named_after(pair, by_words)
        if other and all(looks_like_mask(path) for path in pair.images.values()):
            other.doubles += pair.files
            other.fault = UNNAMED
        else:
            kept.append(pair)
    return kept


def _take_unmarked(pair: Pair) -> None:
    plain = pair.images.get("")
    if len(pair.images) > 1 and not pair.masks and plain and looks_like_mask(plain):
        del pair.images[""]
        pair.masks.append(("", "", plain))


def _named_after(pair: Pair, by_words: dict[tuple[str, ...], Pair]) -> Pair | None:
    """Return the image whose name this one's begins with, the longest: `Image_01L_1stHO` -> `Image_01L`."""
    own = _words(pair)
    found = (by_words.get(own[:length]) for length in range(len(own) - 1, 1, -1))
    return next((other for other in found if other), None)


def _words(pair: Pair) -> tuple[str, ...]:
    folder, _, name = pair.key.rpartition("/")
    return (folder, *texts(name))
