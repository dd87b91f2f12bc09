"""What each file of a folder may be, by its name and the folders that it lies in: an image, a mask, or what only its neighbors tell."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from lesionflow.io.images import image_files
from lesionflow.io.layouts.modalities import canonical, is_known
from lesionflow.io.layouts.pairs.role_words import HINTS, IMAGES, says_mask, skeleton, texts, unmasked, words_of
from lesionflow.io.rules import place

_MASK_WORDS = "mask|masks|seg|segs|segmentation|segmentations|label|labels|gt|groundtruth|annotation|annotations|roi"
MASK_FOLDER = re.compile(rf"^({_MASK_WORDS}|labelstr|ground[_\- ]truth)$", re.IGNORECASE)
IMAGE_FOLDER = re.compile(r"^(image|images|imagestr|img|imgs|scan|scans|volume|volumes)$", re.IGNORECASE)
#: Images whose masks are kept back by those who gave them out, and those masks.
TEST_FOLDER = re.compile(r"^(images|labels)ts$", re.IGNORECASE)
MASK_END = re.compile(rf"(?:^|[_\-. ])({_MASK_WORDS})$", re.IGNORECASE)
IMAGE_END = re.compile(r"(?:^|[_\-. ])(image|images|img|imaging|scan|volume|vol)$", re.IGNORECASE)
MR_BEFORE = re.compile(r"(?:^|[_\-. ])mri?$", re.IGNORECASE)
CHANNEL_END = re.compile(r"(?:^|[_\-. ])([A-Za-z0-9]+)$")
SEPARATORS = "_-. "
#: BIDS 1.10: `sub-<label>[_ses-<label>][_<entity>-<label>...]_<suffix>`, in folders of these names.
BIDS_FILE = re.compile(r"^(?P<subject>sub-[A-Za-z0-9]+)(?P<rest>_.*)?$")
BIDS_FOLDER = re.compile(
    r"^(sub-[A-Za-z0-9]+|ses-[A-Za-z0-9]+|derivatives|rawdata|sourcedata|anat|dwi|pet|ct|perf|func|fmap)$"
)
#: Entities that say of an outline or of a form of the image, and not which examination it is.
BIDS_OF_FILE = re.compile(r"_(label|desc|seg|space|atlas|res|den|mod|ce|rec)-[A-Za-z0-9]+")


@dataclass(frozen=True)
class NamedFile:
    """A file, and what its name says.

    Args:
        path: The file.
        key: The case's name, relative to the folder that was looked through.
        box: The folders that it shares with the other files of its case.
        base: The same without any folder that speaks of images or masks.
        name: The case's part of its own name.
        channel: The channel that it names, or "".
        role: `image`, `mask`, or `maybe` where a mask's word stands in it but not at its end.
        in_image_folder: Whether the folder says that it is an image.
    """

    path: Path
    key: str
    box: str
    base: str
    name: str
    channel: str
    role: str
    in_image_folder: bool

    @cached_property
    def stem(self) -> str:
        """The file's name without its ending."""
        return image_files.stem(self.path)


def name_files(folder: Path, paths: Iterable[Path]) -> list[NamedFile]:
    """Say of each file what its name and folders tell.

    Args:
        folder: Where they lie.
        paths: Files below it.

    Returns:
        The files, sorted by path; what is kept for a test is left out.
    """
    parts = {path: path.relative_to(folder).parts[:-1] for path in sorted(paths)}
    used = {path: of for path, of in parts.items() if not any(TEST_FOLDER.match(part) for part in of)}
    telling = _telling_folders(used)
    return _settled([_named(path, of, telling) for path, of in used.items()])


def _telling_folders(parts: Mapping[Path, tuple[str, ...]]) -> dict[tuple[str, ...], str]:
    """Return `mask` or `image` by folder; a data set whose name alone has such a word is neither."""
    below: dict[tuple[str, ...], list[Path]] = defaultdict(list)
    for path, of in parts.items():
        for depth in range(1, len(of) + 1):
            below[of[:depth]].append(path)
    told = {}
    for inner, files in below.items():
        if IMAGE_FOLDER.match(inner[-1]):
            told[inner] = "image"
        elif MASK_FOLDER.match(inner[-1]):
            told[inner] = "" if _has_pairs(files) else "mask"
        elif says_mask(texts(inner[-1])) or (HINTS & set(texts(inner[-1]))):
            told[inner] = "" if len(files) == len(parts) or _is_mixed(files, len(inner), parts) else "mask"
    return told


def _has_pairs(files: list[Path]) -> bool:
    """Tell whether masks lie beside the images whose names they have."""
    stems = {path.with_name(image_files.stem(path)) for path in files}
    return any(
        p.with_name(MASK_END.sub("", p.name)) in stems
        for p in stems
        if MASK_END.search(p.name) and MASK_END.sub("", p.name)
    )


def _is_mixed(files: list[Path], depth: int, parts: Mapping[Path, tuple[str, ...]]) -> bool:
    """Tell whether images lie below too: in a folder of their own, or under names without a mask's word beside such with one."""
    if any(IMAGE_FOLDER.match(part) or MASK_FOLDER.match(part) for path in files for part in parts[path][depth:]):
        return True
    by_folder: dict[Path, set[bool]] = defaultdict(set)
    for path in files:
        by_folder[path.parent].add(says_mask(texts(image_files.stem(path))))
    return any(len(kinds) > 1 for kinds in by_folder.values())


def _named(path: Path, parts: tuple[str, ...], telling: Mapping[tuple[str, ...], str]) -> NamedFile:
    roles = [telling.get(parts[: depth + 1], "") for depth in range(len(parts))]
    # The innermost telling folder decides: a data set may itself be called `segmentation`.
    decides = [n for n, role in enumerate(roles) if role][-1:]
    folder_role = roles[decides[0]] if decides else ""
    stem = image_files.stem(path)
    name, channel, at_end = parts_of_name(stem)
    is_mask = folder_role == "mask" or at_end
    maybe = says_mask(texts(stem)) or bool(HINTS & set(texts(stem)))
    box, base = _boxes(parts, roles, decides)
    if bids := BIDS_FILE.match(stem):
        name, channel, box = _bids(stem, name, channel, box)
        base, maybe = box, maybe or bool(bids["rest"] and "_label-" in bids["rest"])
    role = "mask" if is_mask else "maybe" if maybe else "image"
    return NamedFile(
        path, _key(parts, stem), box, base, name.rstrip(SEPARATORS) or name, channel, role, folder_role == "image"
    )


def parts_of_name(stem: str) -> tuple[str, str, bool]:
    """Return the case's part of a file name, the channel it names or "", and whether a mask's word ends it."""
    at_end = bool(MASK_END.search(stem))
    name = IMAGE_END.sub("", MASK_END.sub("", stem))
    end = CHANNEL_END.search(name)
    if end and is_known(end[1]):
        # `MR_T1` says twice what it is.
        return MR_BEFORE.sub("", name[: end.start()]), canonical(end[1]), at_end
    return name, "", at_end


def _boxes(parts: tuple[str, ...], roles: list[str], decides: list[int]) -> tuple[str, str]:
    """Return a file's folders with words for images and masks taken out, and without the folders that have them."""
    kept, plain = [], []
    for number, part in enumerate(parts):
        known = bool(MASK_FOLDER.match(part) or IMAGE_FOLDER.match(part))
        compound = not known and (roles[number] == "mask" or _speaks_of_images(part))
        if number in decides and known:
            continue
        kept.append(" ".join(t for t in unmasked(texts(part)) if t not in IMAGES | HINTS) if compound else part)
        if not compound:
            plain.append(part)
    return place(part for part in kept if part), place(plain)


def _speaks_of_images(part: str) -> bool:
    return bool(
        {"images", "image", "imgs", "img", "original", "originals", "jpegimages", "imagesva"} & set(texts(part))
    )


def _bids(stem: str, name: str, channel: str, box: str) -> tuple[str, str, str]:
    """Return name, channel and folders of a file of BIDS: its name says subject and session, whatever folder it lies in."""
    parts, kept = box.split("/") if box else [], []
    for number, part in enumerate(parts):
        pipeline = number and parts[number - 1] == "derivatives" and not part.startswith("sub-")
        if not BIDS_FOLDER.match(part) and not pipeline:
            kept.append(part)
    entities, _, suffix = stem.rpartition("_")
    if entities and "-" not in suffix:
        entities = BIDS_OF_FILE.sub("", entities)
        end = entities.rpartition("_")[2]
        told = canonical(suffix) if not says_mask(texts(suffix)) and suffix.lower() not in IMAGES else ""
        channel, name = told or (canonical(end) if is_known(end) else ""), entities
    if channel and is_known(name.rpartition("_")[2]):
        name = name.rpartition("_")[0]
    return BIDS_OF_FILE.sub("", name), channel, "/".join(kept)


def _key(parts: tuple[str, ...], stem: str) -> str:
    """Name a case by its folders and its file; the pseudonym is made of it, so it stays as it is whatever is learnt of names."""
    telling = [n for n, part in enumerate(parts) if MASK_FOLDER.match(part) or IMAGE_FOLDER.match(part)][-1:]
    box = place(part for n, part in enumerate(parts) if n not in telling)
    name = parts_of_name(stem)[0].rstrip(SEPARATORS)
    return f"{box}/{name}" if box else name or "case"


def _settled(files: list[NamedFile]) -> list[NamedFile]:
    """Call images those whose names have a mask's word but which have masks of their own, and what is named like these."""
    bases = {f.name.casefold() for f in files if f.role == "mask"} | {
        f.stem.casefold() for f in files if f.role == "mask"
    }
    images = {
        skeleton(f.stem)
        for f in files
        if f.role == "maybe" and f.stem.casefold() in bases and len(words_of(f.stem)) > 0
    }
    return [replace(f, role="image") if f.role == "maybe" and skeleton(f.stem) in images else f for f in files]
