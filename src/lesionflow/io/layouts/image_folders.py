"""Images and masks in folders, told apart by their names: volumes (NIfTI, NRRD, MetaImage) or pictures (PNG, JPEG, TIFF)."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask, Volume
from lesionflow.errors import InputError
from lesionflow.io.files import find_files
from lesionflow.io.images import image_files, label_tables
from lesionflow.io.images import itk as itk_images
from lesionflow.io.images.mask_on_image import read_mask_on
from lesionflow.io.images.pictures import raster
from lesionflow.io.images.plausibility import check_values
from lesionflow.io.images.segment_files import read_named_parts
from lesionflow.io.labels import as_declared, is_one_structure, tell_dropped, unite
from lesionflow.io.layouts.left_out import say_test_files
from lesionflow.io.layouts.modalities import canonical, choose_channels
from lesionflow.io.layouts.pairs.doubts import doubted
from lesionflow.io.layouts.pairs.extra_images import without_extras
from lesionflow.io.layouts.pairs.mask_choice import (
    MaskFile,
    in_two_forms,
    label_by_own_name,
    labels_by_name,
    without_auxiliary,
)
from lesionflow.io.layouts.pairs.mask_content import MAX_SHARED, is_mask_like, shared
from lesionflow.io.layouts.pairs.pairing import Pair, pair
from lesionflow.io.layouts.pairs.unnamed_masks import UNNAMED, told_by_content, unread, without_unread
from lesionflow.io.layouts.patient_in_name import patient_of
from lesionflow.io.notes import note, took
from lesionflow.io.rules import CASE, ReadingRules, ReadStudy, SourceStudy


def detect_volumes(folder: Path) -> bool:
    """Tell whether a folder holds NIfTI, NRRD or MetaImage files, and not more pictures with masks than such with masks."""
    files = find_files(folder)
    volumes = [path for path in files if image_files.ending(path) in image_files.VOLUME_ENDINGS]
    pictures = [path for path in files if image_files.ending(path) in raster.ENDINGS]
    return bool(volumes) and _n_whole(folder, volumes) >= _n_whole(folder, pictures)


def detect_pictures(folder: Path) -> bool:
    """Tell whether a folder holds pictures."""
    return any(image_files.ending(path) in raster.ENDINGS for path in find_files(folder))


def find_volumes(folder: Path) -> Iterator[SourceStudy]:
    """Yield a study for each image or group of channels, with the masks that its name or folder gives it."""
    return _find(folder, image_files.VOLUME_ENDINGS)


def find_pictures(folder: Path) -> Iterator[SourceStudy]:
    """Yield a study for each picture, with the masks that its name or folder gives it."""
    return _find(folder, raster.ENDINGS)


def read_study(source: SourceStudy, rules: ReadingRules, *, name: str) -> ReadStudy:
    """Read one case.

    Args:
        source: From `find_volumes` or `find_pictures`.
        rules: Channels by the words in file names, or by color; structures by the names of their masks.
        name: What to call the case in messages.

    Returns:
        The channels and the mask.

    Raises:
        InputError: `missing_channel`, `ambiguous_channel`, `no_outline`, `unnamed_mask`, `ambiguous_outlines`,
            `geometry_mismatch`, and all reasons of image files and labels.
    """
    found: Pair = source.found
    _say_what_is_left(found, name)
    volumes = read_wanted_channels(found.images, rules, name=name)
    if not found.masks and is_mask_like(volumes[rules.reference].array):
        raise InputError(UNNAMED[1].replace(CASE, name), reason=UNNAMED[0])
    image_files.require_same_turn(found.images.values(), (path for _, _, path in found.masks), name=name)
    tables = tuple(path for path in map(Path, source.files) if label_tables.is_called_as_table(path))
    on = _DrawnOn(volumes[rules.reference].geometry, _reference_file(found.images, rules, name), tables)
    return ReadStudy(volumes, _read_masks(found, rules, on, name))


def read_wanted_channels(images: dict[str, Path], rules: ReadingRules, *, name: str) -> dict[str, Volume]:
    """Read the wanted channels out of files by channel; a file without a name for its channel may hold several.

    Raises:
        InputError: As `read_study`.
    """
    for path in images.values():
        for rule in rules.channels.values():
            image_files.require_unit(path, rule.modality, name=name)
    if set(images) == {""}:
        held = image_files.read_channels(images[""], name=name)
        if len(rules.channels) == 1 and (set(held) == {""} or "gray" in held):
            (channel,) = rules.channels
            wanted = [key for key in held if canonical(key) == canonical(channel)]
            chosen = {channel: wanted[0] if wanted else ("gray" if "gray" in held else "")}
        else:
            chosen = choose_channels(rules, held, name=name)
        volumes = {channel: held[key] for channel, key in chosen.items()}
        if "gray" in chosen.values():
            image_files.tell_gray(held, name=name)
        for channel, key in chosen.items():
            took(channel, f"{images[''].name} {key}".strip())
    else:
        chosen = choose_channels(rules, images, name=name)
        volumes = {channel: image_files.read_volume(images[key], name=name) for channel, key in chosen.items()}
        for channel, key in chosen.items():
            took(channel, images[key].name)
    for channel, volume in volumes.items():
        check_values(volume, rules.channels[channel].modality, name=name)
    return volumes


def _find(folder: Path, endings: Sequence[str]) -> Iterator[SourceStudy]:
    files = find_files(folder)
    left = unread(files, folder)
    say_test_files(folder, (path for path in files if image_files.ending(path) in endings))
    tables = label_tables.find_tables(files)
    pairs = doubted(pair(folder, [*(path for path in files if image_files.ending(path) in endings), *left]))
    for found in without_extras(told_by_content(without_unread(pairs, left))):
        roles = [f"image {channel}" for channel in found.images]
        roles += [f"mask {channel} {stem}" for channel, stem, _ in found.masks] + ["double"] * len(found.doubles)
        try:
            apart = [data for path in found.files for data in _data_files(path)]
            told = [table for _, _, path in found.masks for table in label_tables.tables_beside(path, tables)]
            fault = _fault(found)
        except InputError as error:
            apart, told, fault = [], [], (error.reason, str(error))
        paths = tuple(map(str, (*found.files, *apart, *dict.fromkeys(told))))
        roles += [f"voxels {data.suffix}" for data in apart] + ["label names"] * len(set(told))
        yield SourceStudy(found.key, patient_of(found.key), paths, fault, found, tuple(roles))


def _n_whole(folder: Path, paths: Sequence[Path]) -> int:
    return sum(1 for found in pair(folder, paths) if found.images and found.masks)


def _data_files(path: Path) -> list[Path]:
    return itk_images.data_files(path, name=CASE) if image_files.ending(path) in itk_images.ENDINGS else []


def _say_what_is_left(found: Pair, name: str) -> None:
    if found.aside:
        note(
            "partial_outlines",
            f"Left out {len(found.aside)} outlines below the folder of {name}, beside whose image a mask lies.",
        )
    if found.spare:
        note(
            "other_form_of_channel",
            f"Left out {len(found.spare)} images of {name} that are another form of a channel: SUV is read, and a CT on its own grid.",
        )

    if found.extra:
        note(
            "extra_images",
            f"Left out {len(found.extra)} images named after {name} that are none of its channels and have no mask of their own.",
        )
    if found.by_content:
        note(
            "masks_by_content",
            f"Took {found.by_content} files for masks of {name}, as their voxels are a mask's: no word of their names says so.",
        )


def _fault(found: Pair) -> tuple[str, str] | None:
    if found.fault:
        return found.fault
    if found.doubles:
        return "ambiguous_image", (
            f"Expected one file for each channel of a case, found {len(found.doubles)} more under the same name. Remove "
            "what is not meant."
        )
    return None


class _DrawnOn(NamedTuple):
    """The image that masks were drawn on, and the tables that name the masks' numbers."""

    geometry: Geometry
    file: Path
    tables: tuple[Path, ...] = ()


def _reference_file(images: dict[str, Path], rules: ReadingRules, name: str) -> Path:
    return images[""] if set(images) == {""} else images[choose_channels(rules, images, name=name)[rules.reference]]


def _read_masks(found: Pair, rules: ReadingRules, on: _DrawnOn, name: str) -> Mask:
    masks = without_auxiliary(found, rules, name=name)
    on_reference = [m for m in masks if m[0] in ("", canonical(rules.reference))]
    if not on_reference:
        raise InputError(
            f"Expected a mask drawn on the channel {rules.reference} of {name}, found {len(masks)} of others. "
            "Outline it or leave it out.",
            reason="no_outline",
        )
    drawn = [path for _, _, path in on_reference]
    if named := read_named_parts(drawn, on.geometry, rules, tables=on.tables, image=on.file, name=name):
        left = [(stem, None) for _, stem, path in on_reference if path not in named and not rules.is_unwanted(stem)]
        tell_dropped(left, name)
        return unite([part for parts in named.values() for part in parts], on.geometry, rules)
    if len(on_reference) == 1:
        ((_, stem, path),) = on_reference
        mask = _read_mask(path, rules, on, name)
        label = label_by_own_name(found, stem, rules) if is_one_structure(mask) else None
        # A mask that is called as a structure: its 1 says inside, whatever 1 is by `ingest.labels`.
        if label is not None:
            return unite([(label, mask.labels > 0)], on.geometry, rules)
        return as_declared(mask, rules, name=name)
    return _unite(found, on_reference, rules, on, name)


def _unite(found: Pair, masks: list[MaskFile], rules: ReadingRules, on: _DrawnOn, name: str) -> Mask:
    """Unite masks of one structure each: by their names, or all of the only label (one file an instance)."""
    named = labels_by_name(found, masks, rules, name=name)
    drawn = {}
    for path in named:
        inside = _read_mask(path, _INSIDE, on, name)
        drawn[path] = np.asarray(as_declared(inside, _INSIDE, name=name).labels > 0)
    for one, other in in_two_forms(found, [mask for mask in masks if mask[2] in named]):
        if not np.array_equal(drawn[one], drawn[other]):
            raise InputError(
                f"Expected one file for each mask of {name}, found two of one name that are not the same: in two formats, or in "
                "two folders of masks. Remove the one that is not meant.",
                reason="ambiguous_outlines",
            )
    parts = [(label, drawn[path]) for path, label in named.items()]
    for label in set(named.values()):
        dice, within = shared(inside for own, inside in parts if own == label)
        if dice > MAX_SHARED:
            raise InputError(
                f"Expected one outline of a lesion in {name}, found two that share most of it: two readers', or an older form. "
                "Keep the one to learn from, or say in ingest.outlines which is meant.",
                reason="ambiguous_outlines",
            )
        if within > MAX_SHARED:
            note(
                "masks_within_masks",
                f"Expected masks of {name} that lie side by side, found one that lies mostly within another: they were united. "
                "If it is another reader's or an older one, keep the one to learn from.",
            )
    return unite(parts, on.geometry, rules)


_INSIDE = ReadingRules({}, "", {"inside": 1})


def _read_mask(path: Path, rules: ReadingRules, on: _DrawnOn, name: str) -> Mask:
    took("mask", path.name)
    return read_mask_on(path, on.geometry, tuple(rules.labels.values()), image=on.file, name=name)
