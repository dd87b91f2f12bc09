"""Which file is the image and which its mask, by the names of folders and files: the conventions that people use."""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from lesionflow.io.images import files as image_files
from lesionflow.io.layouts.modalities import canonical, is_known
from lesionflow.io.rules import place

_MASK_WORDS = "mask|masks|seg|segs|segmentation|segmentations|label|labels|gt|groundtruth|annotation|annotations|roi"
MASK_FOLDER = re.compile(rf"^({_MASK_WORDS}|labelstr|ground_truth)$", re.IGNORECASE)
IMAGE_FOLDER = re.compile(r"^(image|images|imagestr|img|imgs|scan|scans|volume|volumes)$", re.IGNORECASE)
#: Images whose masks are kept back by those who gave them out.
TEST_FOLDER = re.compile(r"^(imagests)$", re.IGNORECASE)
MASK_END = re.compile(rf"(?:^|[_\-. ])({_MASK_WORDS})$", re.IGNORECASE)
IMAGE_END = re.compile(r"(?:^|[_\-. ])(image|images|img|imaging|scan|volume|vol)$", re.IGNORECASE)
MR_BEFORE = re.compile(r"(?:^|[_\-. ])mri?$", re.IGNORECASE)
CHANNEL_END = re.compile(r"(?:^|[_\-. ])([A-Za-z0-9]+)$")


@dataclass
class Pair:
    """What belongs together.

    Args:
        key: The name that they share, relative to the folder that was looked through.
        images: Files by channel; "" where the name tells none.
        masks: (channel that it was drawn on or "", name of the mask's file without its ending, file).
        doubles: Files that claim the place of another.
    """

    key: str
    images: dict[str, Path] = field(default_factory=dict)
    masks: list[tuple[str, str, Path]] = field(default_factory=list)
    doubles: list[Path] = field(default_factory=list)

    @property
    def files(self) -> list[Path]:
        """All of them."""
        return [*self.images.values(), *(path for _, _, path in self.masks), *self.doubles]


def pair(folder: Path, paths: Iterable[Path]) -> list[Pair]:
    """Sort images and masks into pairs.

    Args:
        folder: Where they lie.
        paths: Files below it that are images by their ending.

    Returns:
        One pair a case, sorted by key; masks whose image is absent are a pair without images.
    """
    boxes: dict[str, dict[str, Pair]] = defaultdict(dict)
    for path in sorted(paths):
        parts = path.relative_to(folder).parts[:-1]
        if any(TEST_FOLDER.match(part) for part in parts):
            continue
        # The innermost telling folder decides: a data set may itself be called `segmentation`.
        telling = [n for n, part in enumerate(parts) if MASK_FOLDER.match(part) or IMAGE_FOLDER.match(part)][-1:]
        box = place(part for n, part in enumerate(parts) if n not in telling)
        in_mask_folder = any(MASK_FOLDER.match(parts[n]) for n in telling)
        name, channel, is_mask = _role(image_files.stem(path), in_mask_folder=in_mask_folder)
        _add(boxes[box].setdefault(name, Pair("")), path, channel, is_mask=is_mask)
    return sorted(
        (p for box, named in boxes.items() for p in _named(box, _with_only_image(named))), key=lambda p: p.key
    )


def _role(name: str, *, in_mask_folder: bool) -> tuple[str, str, bool]:
    """Return the case's part of a file name, the channel it names or "", and whether it is a mask."""
    is_mask = in_mask_folder or bool(MASK_END.search(name))
    name = IMAGE_END.sub("", MASK_END.sub("", name))
    end = CHANNEL_END.search(name)
    if end and is_known(end[1]):
        # `MR_T1` says twice what it is.
        return MR_BEFORE.sub("", name[: end.start()]), canonical(end[1]), is_mask
    return name, "", is_mask


def _add(into: Pair, path: Path, channel: str, *, is_mask: bool) -> None:
    if is_mask:
        into.masks.append((channel, image_files.stem(path), path))
    elif channel in into.images:
        into.doubles.append(path)
    else:
        into.images[channel] = path


def _with_only_image(named: dict[str, Pair]) -> dict[str, Pair]:
    """Give all masks to the only image beside them, whatever they are called."""
    with_images = [name for name, found in named.items() if found.images]
    if len(with_images) != 1:
        return named
    only = named[with_images[0]]
    for name, found in named.items():
        if name != with_images[0]:
            only.masks += found.masks
    return {with_images[0]: only}


def _named(box: str, named: dict[str, Pair]) -> Iterable[Pair]:
    for name, found in named.items():
        found.key = f"{box}/{name}" if box else name or "case"
        yield found
