"""Pairs that fit by their names and are doubtful by them: a mask that says it was turned, masks numbered one off from their images."""

import re
from collections import defaultdict
from collections.abc import Iterable

from lesionflow.io.images import image_files
from lesionflow.io.layouts.pairs.pairing import Pair
from lesionflow.io.layouts.pairs.role_words import IMAGES, texts, unmasked, without

#: What a name says of voxels that no longer lie as they were taken.
TURNED_WORD = re.compile(
    r"(?:[hv]|lr|ud)?flip(?:ped)?|mirror(?:ed)?|rot(?:ated)?(?:90|180|270)?|transposed|aug(?:mented)?"
)
TURNED = (
    "ambiguous_pairing",
    (
        "Expected masks that lie as their images, found one whose name says that it was mirrored, turned or augmented, and the "
        "image's does not. Give it the image that it was drawn on, or name both alike."
    ),
)
ONE_OFF = (
    "ambiguous_pairing",
    (
        "Expected images and masks of the same numbers, found as many of each and all masks' numbers off by the same: nothing says "
        "whether the number or the place in the list pairs them. Number both alike."
    ),
)
#: (folder, words that are no number) -> numbers
Numbers = dict[tuple[str, tuple[str, ...]], set[int]]


def doubted(pairs: Iterable[Pair]) -> list[Pair]:
    """Mark pairs whose names say that image and mask may not be of one another.

    Args:
        pairs: Of one folder.

    Returns:
        The pairs; those that are doubtful carry a fault.
    """
    found = list(pairs)
    images, masks = _numbers(found, of_masks=False), _numbers(found, of_masks=True)
    off = {group for group in images if _one_off(images[group], masks.get(group, set()))}
    for pair in found:
        if _is_turned(pair):
            pair.fault = TURNED
        elif any(_numbered(pair, stem)[0] in off for stem in (*_image_stems(pair), *_mask_stems(pair))):
            pair.fault = ONE_OFF
    return found


def _is_turned(pair: Pair) -> bool:
    own = {word for path in pair.images.values() for part in path.parts[-2:] for word in texts(part)}
    said = {word for stem in _mask_stems(pair) for word in texts(stem)}
    return bool(own) and any(TURNED_WORD.fullmatch(word) for word in said - own)


def _one_off(images: set[int], masks: set[int]) -> bool:
    """Tell whether the numbers of masks are those of the images and a step; one pair alone may be anything."""
    if len(images) < 2 or len(images) != len(masks):
        return False
    steps = {mask - image for image, mask in zip(sorted(images), sorted(masks), strict=True)}
    return len(steps) == 1 and steps != {0}


def _numbers(pairs: Iterable[Pair], *, of_masks: bool) -> Numbers:
    numbers: Numbers = defaultdict(set)
    for pair in pairs:
        for stem in _mask_stems(pair) if of_masks else _image_stems(pair):
            group, number = _numbered(pair, stem)
            if number is not None:
                numbers[group].add(number)
    return numbers


def _numbered(pair: Pair, stem: str) -> tuple[tuple[str, tuple[str, ...]], int | None]:
    """Return what a name says beside its last number and its words for image and mask, and that number."""
    words = without(unmasked(texts(stem)), IMAGES)
    at = max((n for n, word in enumerate(words) if word.isdecimal()), default=None)
    folder = pair.key.rpartition("/")[0]
    if at is None:
        return (folder, words), None
    return (folder, (*words[:at], "#", *words[at + 1 :])), int(words[at])


def _image_stems(pair: Pair) -> list[str]:
    return [image_files.stem(path) for path in pair.images.values()]


def _mask_stems(pair: Pair) -> list[str]:
    return [stem for _, stem, _ in pair.masks]
