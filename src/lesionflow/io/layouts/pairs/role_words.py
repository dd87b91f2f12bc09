"""What the name of a file or folder says of it: words for masks and for images, wherever they stand in it."""

import re
from functools import lru_cache
from typing import NamedTuple

MASKS = frozenset(
    [
        "mask",
        "masks",
        "msk",
        "msks",
        "seg",
        "segs",
        "segm",
        "segmentation",
        "segmentations",
        "segmented",
        "dseg",
        "label",
        "labels",
        "lbl",
        "lbls",
        "labelmap",
        "labelmaps",
        "labelstr",
        "labelsva",
        "gt",
        "gts",
        "groundtruth",
        "ground",
        "truth",
        "annotation",
        "annotations",
        "annot",
        "annots",
        "anno",
        "roi",
        "rois",
        "gtv",
        "gtvs",
        "gtvt",
        "gtvn",
        "gtvp",
        "ctv",
        "ptv",
        "delineation",
        "delineations",
        "outline",
        "outlines",
        "contour",
        "contours",
    ]
)
#: What a longer word ends with that is one: `tumormask`, `lesionsegmentation`.
MASK_ENDINGS = ("mask", "masks", "msk", "segmentation", "segmentations", "labelmap", "groundtruth")
#: Words that say mask only where an image of the same name is there too: `21_manual1` beside `21_training`.
HINTS = frozenset(
    ["manual", "manuals", "expert", "experts", "reference", "consensus", "reader", "rater", "annotator", "observer"]
)
IMAGES = frozenset(
    [
        "image",
        "images",
        "imagestr",
        "imagesva",
        "img",
        "imgs",
        "im",
        "imaging",
        "scan",
        "scans",
        "volume",
        "volumes",
        "vol",
        "vols",
        "original",
        "originals",
        "orig",
        "photo",
        "photos",
        "picture",
        "pictures",
        "jpegimages",
        "training",
    ]
)
#: What stands behind a mask's word and says nothing of what is outlined.
QUALIFIERS = frozenset(["final", "new", "old", "edited", "corrected", "copy", "auto", "manual", "v"])
#: Outlines of something that no lesion is, kept to prepare images.
AUXILIARY = frozenset(["brain", "body", "fov", "skull", "head", "bet", "superpixels"])
_CHUNK = re.compile(r"[^\W_]+")
#: `LesionMask`, `JPEGImages`, `label0001`; letters of any script.
_PIECE = re.compile(r"\d+|[A-Z]+(?=[A-Z][a-z])|[A-Z]?[^\W\d_A-Z]+|[A-Z]+|[^\W\d_]+")

_TELLING = re.compile("|".join(sorted({*MASKS, *MASK_ENDINGS, *HINTS, *IMAGES}, key=len, reverse=True)))


class Word(NamedTuple):
    """A word of a name, in small letters, and where it stands."""

    text: str
    start: int
    end: int

    @property
    def is_mask(self) -> bool:
        """Tell whether it stands for a mask."""
        return self.text in MASKS or self.text.endswith(MASK_ENDINGS)

    @property
    def is_number(self) -> bool:
        """Tell whether it is a number."""
        return self.text.isdecimal()


@lru_cache(maxsize=1 << 16)
def words_of(name: str) -> tuple[Word, ...]:
    """Return the words of a name; what is written as one is divided only where a part of it says what the file is."""
    found: list[Word] = []
    for chunk in _CHUNK.finditer(name):
        whole = Word(chunk[0].lower(), *chunk.span())
        # Most words of most names tell nothing: a hash is not taken to pieces.
        if not _TELLING.search(whole.text):
            found.append(whole)
            continue
        pieces = [
            Word(m[0].lower(), chunk.start() + m.start(), chunk.start() + m.end()) for m in _PIECE.finditer(chunk[0])
        ]
        tells = any(piece.is_mask or piece.text in IMAGES or piece.text in HINTS for piece in pieces)
        found += pieces if tells and len(pieces) > 1 and whole.text not in MASKS | IMAGES else [whole]
    return tuple(found)


@lru_cache(maxsize=1 << 16)
def texts(name: str) -> tuple[str, ...]:
    """Return the words of a name as they are compared."""
    return tuple(word.text for word in words_of(name))


def without(of: tuple[str, ...], *kinds: frozenset[str]) -> tuple[str, ...]:
    """Return words without those of some kinds."""
    return tuple(text for text in of if not any(text in kind for kind in kinds))


def says_mask(of: tuple[str, ...]) -> bool:
    """Tell whether a word of a name stands for a mask."""
    return any(Word(text, 0, 0).is_mask for text in of)


def unmasked(of: tuple[str, ...]) -> tuple[str, ...]:
    """Return words without those that stand for a mask; of `tumormask`, `tumor`."""
    kept = (text if not Word(text, 0, 0).is_mask else _before_ending(text) for text in of)
    return tuple(text for text in kept if text)


def structure(of: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words that say what is outlined: no numbers, no letters alone, no names made of letters and digits."""
    return tuple(t for t in without(unmasked(of), IMAGES) if len(t) > 1 and t.isalpha())


def skeleton(name: str) -> str:
    """Return a name with each number as one sign: files that were named by one rule have one."""
    return re.sub(r"\d+", "#", name.casefold())


def _before_ending(text: str) -> str:
    if text in MASKS:
        return ""
    ending = max((e for e in MASK_ENDINGS if text.endswith(e)), key=len)
    return text[: -len(ending)]
