"""Masks that are told by their voxels, as their names do not say so, and masks that no reader reads: neither is lost in silence."""

from collections.abc import Iterable
from pathlib import Path

from lesionflow.io.images import image_files
from lesionflow.io.layouts.pairs.mask_content import looks_like_mask
from lesionflow.io.layouts.pairs.pairing import Pair
from lesionflow.io.layouts.pairs.role_words import says_mask, texts
from lesionflow.io.rules import CASE

UNNAMED = (
    "unnamed_mask",
    (
        f"Expected masks of {CASE} to be named as such, found an image that looks like a mask: few whole numbers, mostly one. "
        "Put `_mask` behind the image's name, or put it into a folder `masks`."
    ),
)

#: What is outlined, where a name says that and no more.
OUTLINED = frozenset(
    [
        "lesion",
        "lesions",
        "tumor",
        "tumors",
        "tumour",
        "tumours",
        "nodule",
        "nodules",
        "metastasis",
        "metastases",
        "met",
        "mets",
    ]
)

#: What masks are also kept in, and no reader reads.
UNREAD_ENDINGS = frozenset(
    [
        ".npy",
        ".npz",
        ".mat",
        ".h5",
        ".hdf5",
        ".pgm",
        ".ppm",
        ".pbm",
        ".pnm",
        ".tga",
        ".webp",
        ".jp2",
        ".svg",
        ".mgz",
        ".mgh",
        ".mnc",
        ".gipl",
        ".vtk",
        ".hdr",
        ".xcf",
        ".psd",
    ]
)
UNREAD = (
    "unread_outline",
    (
        f"Expected all masks of {CASE} in a form that is read, found one of its name in another: a part of the outline may stand "
        "there alone. Convert it, or remove it."
    ),
)


def unread(files: Iterable[Path], folder: Path) -> list[Path]:
    """Return files that are masks by their names or folders, and of a form that no reader reads.

    Args:
        files: All files below a folder.
        folder: The folder.

    Returns:
        Those which may be a part of an outline.
    """
    return [
        path
        for path in files
        if path.suffix.lower() in UNREAD_ENDINGS
        and any(says_mask(texts(part)) for part in (path.stem, *path.relative_to(folder).parts[:-1]))
    ]


def without_unread(pairs: Iterable[Pair], left: Iterable[Path]) -> list[Pair]:
    """Take unread files out of pairs; one that is no copy of a mask that is read spoils its case.

    Args:
        pairs: Found with these files among them.
        left: What `unread` returned.

    Returns:
        The pairs that have a file that is read.
    """
    strange, kept = set(left), []
    for pair in pairs:
        pair.images = {channel: path for channel, path in pair.images.items() if path not in strange}
        pair.doubles = [path for path in pair.doubles if path not in strange]
        read = {stem for _, stem, path in pair.masks if path not in strange}
        if any(path in strange and stem not in read for _, stem, path in pair.masks):
            pair.fault = UNREAD
        pair.masks = [mask for mask in pair.masks if mask[2] not in strange]
        if pair.files:
            kept.append(pair)
    return kept


def told_by_content(pairs: Iterable[Pair]) -> list[Pair]:
    """Look into images without masks whose names say that they belong to another, and take masks among them for what they are.

    Args:
        pairs: Of one folder, sorted.

    Returns:
        The pairs; an image that looks like a mask and is named after another spoils that one, since it may be a part of its
        outline. Where that one has no mask and the name says but what is outlined and a number (`P1_lesion_2`), it is one. The file without a channel's name beside channels of the same case (HECKTOR 2025) is its mask.
    """
    found = list(pairs)
    by_words = {_words(pair): pair for pair in found if pair.images}
    bare = {pair.key for pair in found if not pair.masks}
    kept = []
    for pair in found:
        _take_unmarked(pair)
        other = None if pair.masks or not pair.images else _named_after(pair, by_words)
        if other and all(looks_like_mask(path) for path in pair.images.values()):
            if other.key in bare and _says_what(pair, other):
                other.masks += [("", image_files.stem(path), path) for path in pair.images.values()]
                other.by_content += len(pair.images)
                continue
            other.doubles += pair.files
            other.fault = UNNAMED
        else:
            kept.append(pair)
    return kept


def _says_what(pair: Pair, other: Pair) -> bool:
    """Tell whether a name adds to another what is outlined, and numbers at most."""
    beyond = _words(pair)[len(_words(other)) :]
    return any(word in OUTLINED for word in beyond) and all(word in OUTLINED or word.isdecimal() for word in beyond)


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
