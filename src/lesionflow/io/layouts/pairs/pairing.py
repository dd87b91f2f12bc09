"""Which file is the image and which its mask, by the names of folders and files: the conventions that people use.

A mask is never an image of its own: where no image is found for it, it is named; where it may be part of an image's
outline, that image is refused rather than read with half its lesions.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from lesionflow.io.images import image_files
from lesionflow.io.layouts.pairs.file_roles import NamedFile, name_files
from lesionflow.io.layouts.pairs.mask_homes import Home, Images, find_home
from lesionflow.io.layouts.pairs.role_words import says_mask, skeleton, texts

#: Folders of a case that hold what its mask was made of: each reader's outline, each instance's.
PARTS_FOLDER = frozenset(
    ["instances", "instance", "raw", "readers", "raters", "reader", "rater", "annotations", "individual"]
)
#: Forms of one channel (autoPET has all four): SUV over activity, a CT on its own grid over the one resampled to the PET.
BETTER_FORM = (("suv", "pet"), ("suv", "pt"), ("ct", "ctres"))
LOST = (
    "mask_without_image",
    (
        "Expected an image for each mask, found a mask whose image is absent, or of another name. Name both alike, in folders "
        "`images` and `masks`, or in one folder with `_mask` behind the mask's name."
    ),
)
UNCERTAIN = (
    "ambiguous_pairing",
    (
        "Expected one image for each mask, found a mask whose name fits this image and may be another's. Name it as the image, "
        "with `_mask` or `_mask_2` behind it."
    ),
)
NUMBERED_CHANNELS = (
    "missing_channel",
    (
        "Expected one image for each mask, found several whose names differ by a channel's number alone: nothing says what "
        "each is. Add nnU-Net's dataset.json, or name them `_CT`, `_PET`, `_T1` ..."
    ),
)


@dataclass
class Pair:
    """What belongs together.

    Args:
        key: The name that they share, relative to the folder that was looked through.
        images: Files by channel; "" where the name tells none.
        masks: (channel that it was drawn on or "", name of the mask's file without its ending, file).
        doubles: Files that claim the place of another.
        aside: Outlines of which the mask beside the image was made, which are not read.
        spare: Another form of a channel, which is not read: uptake not yet in SUV, a CT resampled to the PET.
        extra: Images named after this case that are none of its channels and have no mask, which are not read.
        by_content: How many of the masks were told by their voxels, as no word of their names says so.
        fault: Why it can't be read right, as (reason, message).
    """

    key: str
    images: dict[str, Path] = field(default_factory=dict)
    masks: list[tuple[str, str, Path]] = field(default_factory=list)
    doubles: list[Path] = field(default_factory=list)
    aside: list[Path] = field(default_factory=list)
    spare: list[Path] = field(default_factory=list)
    extra: list[Path] = field(default_factory=list)
    by_content: int = 0
    fault: tuple[str, str] | None = None

    @property
    def folder(self) -> Path:
        """Where the first image lies."""
        return next(iter(self.images.values())).parent

    @property
    def files(self) -> list[Path]:
        """All of them that are read or spoil the case."""
        return [*self.images.values(), *(path for _, _, path in self.masks), *self.doubles]


@dataclass
class _Box:
    """Files that share folders, images by the case's part of their names."""

    named: dict[str, Pair] = field(default_factory=dict)
    homeless: list[NamedFile] = field(default_factory=list)
    #: Masks that may be numbered after their image, or belong to an image that is gone; images that have a mask of their name.
    numbered: list[str] = field(default_factory=list)
    close: set[str] = field(default_factory=set)

    def add_image(self, file: NamedFile) -> None:
        pair = self.named.setdefault(file.name, Pair(file.key))
        pair.key = min(pair.key, file.key)
        taken = pair.images.get(file.channel)
        if taken is None:
            pair.images[file.channel] = file.path
        elif spare := _spare(taken, file.path):
            pair.images[file.channel] = file.path if spare == taken else taken
            pair.spare.append(spare)
        else:
            pair.doubles.append(file.path)

    def add_mask(self, file: NamedFile, home: Home) -> None:
        for name in home.names:
            self.named[name].masks.append((home.channel, file.stem, file.path))
            if len(home.names) > 1:
                by_number = all(other.rpartition("_")[0] == file.name for other in home.names)
                self.named[name].fault = NUMBERED_CHANNELS if by_number else UNCERTAIN
        if home.numbered:
            self.numbered += home.names
        elif home.close:
            self.close |= set(home.names)

    def settle(self) -> None:
        for name in set(self.numbered) & self.close:
            self.named[name].fault = UNCERTAIN


def pair(folder: Path, paths: Iterable[Path]) -> list[Pair]:
    """Sort images and masks into pairs.

    Args:
        folder: Where they lie.
        paths: Files below it that are images by their ending.

    Returns:
        One pair a case, sorted by key; masks whose image is absent are a pair without images.
    """
    boxes: dict[str, _Box] = defaultdict(_Box)
    files = name_files(folder, paths)
    for file in files:
        if file.role == "image":
            boxes[file.box].add_image(file)
    for role in ("maybe", "mask"):
        known = {name: Images(box.named) for name, box in boxes.items()}
        homes = [(f, find_home(f, known.get(f.box, Images(())))) for f in files if f.role == role]
        for file, home in homes:
            if home:
                boxes[file.box].add_mask(file, home)
            elif role == "maybe" and (file.in_image_folder or not says_mask(texts(file.stem))):
                boxes[file.box].add_image(file)
            else:
                boxes[file.box].homeless.append(file)
    lost = [file for box in list(boxes.values()) for file in _beside_only_image(box)]
    known = {name: Images(box.named) for name, box in boxes.items() if box.named}
    lost = [file for file in lost if not _elsewhere(file, boxes, known)]
    for box in boxes.values():
        box.settle()
    found = [p for box in boxes.values() for p in box.named.values()]
    found += _lost_pairs(lost, {p.key for p in found})
    return sorted(found, key=lambda p: p.key)


def _beside_only_image(box: _Box) -> list[NamedFile]:
    """Give masks to the only image beside them, whatever they are called; return those that are another case's by their names."""
    if len(box.named) != 1:
        return box.homeless
    ((name, only),) = box.named.items()
    left = []
    for file in box.homeless:
        # `a_2` beside an image `a_1`, and `b` beside `a`, which has its own, are of images that are gone.
        others = skeleton(file.name) == skeleton(name) and file.name != name and "#" in skeleton(name)
        if others or (name and name in box.close):
            left.append(file)
        else:
            only.masks.append((file.channel, file.stem, file.path))
    return left


def _elsewhere(file: NamedFile, boxes: dict[str, _Box], known: dict[str, Images]) -> bool:
    """Find the image of a mask whose folder holds no image, in folders beside or around it; return whether it was found."""
    if file.box in known:
        return False
    near = [box for box in known if _related(file.base, box)]
    homes = [(box, home) for box in near if (home := find_home(file, known[box])) and home.close]
    for box, home in homes:
        boxes[box].add_mask(file, home)
        if len(homes) > 1:
            boxes[box].named[home.names[0]].fault = UNCERTAIN
    if homes:
        return True
    around = [box for box in near if len(known[box].names) == 1 and _is_around(box, file.base)]
    if len(around) != 1:
        return False
    _give_to_case(file, boxes[around[0]])
    return True


def _give_to_case(file: NamedFile, box: _Box) -> None:
    """Give a mask of a folder below a case's own to it; where the case has a mask, it is a part of that or spoils the case."""
    (only,) = box.named.values()
    beside = [path for _, _, path in only.masks if path.parent == only.folder]
    if beside and PARTS_FOLDER & set(texts(file.path.parent.name)):
        only.aside.append(file.path)
        return
    only.masks.append((file.channel, file.stem, file.path))
    if beside:
        only.fault = UNCERTAIN


def _spare(one: Path, other: Path) -> Path | None:
    """Return which of two files of one channel is a lesser form of the other; None where they are the same by name."""
    for better, lesser in BETTER_FORM:
        said = [texts(image_files.stem(path)) for path in (one, other)]
        if better in said[0] and lesser in said[1]:
            return other
        if lesser in said[0] and better in said[1]:
            return one
    return None


def _related(base: str, box: str) -> bool:
    return base in ("", box) or box.startswith(f"{base}/") or _is_around(box, base)


def _is_around(box: str, base: str) -> bool:
    return bool(box) and (base == box or base.startswith(f"{box}/"))


def _lost_pairs(lost: list[NamedFile], taken: set[str]) -> list[Pair]:
    """Return a pair without images for each lost mask; its folder's word for masks is no part of whose it is."""
    pairs: dict[str, Pair] = {}
    for file in lost:
        plain = f"{file.base}/{file.name}" if file.base else file.name
        key = file.key if plain in taken or not file.name else plain
        of = pairs.setdefault(key, Pair(key, fault=LOST))
        of.masks.append((file.channel, file.stem, file.path))
    return list(pairs.values())
