"""Image files by their ending: NIfTI, NRRD, MetaImage and pictures through one door."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask, Volume
from lesionflow.errors import InputError
from lesionflow.io.images import itk as itk_images
from lesionflow.io.images import nifti
from lesionflow.io.images.label_values import as_labels
from lesionflow.io.images.pictures import masks as picture_masks
from lesionflow.io.images.pictures import raster
from lesionflow.io.images.placement import put_on
from lesionflow.io.notes import note
from lesionflow.machine.study_budget import reading_mask

NIFTI_ENDINGS = (".nii.gz", ".nii")
VOLUME_ENDINGS = (*NIFTI_ENDINGS, *itk_images.ENDINGS)
ENDINGS = (*VOLUME_ENDINGS, *raster.ENDINGS)
#: What voxels of a modality are in.
UNITS = {"CT": "HU", "PT": "SUV"}


def ending(path: Path) -> str:
    """Return a file's ending as `ENDINGS` has it, "" for another."""
    lower = path.name.lower()
    return next((e for e in ENDINGS if lower.endswith(e)), "")


def stem(path: Path) -> str:
    """Return a file's name without its ending."""
    return path.name[: len(path.name) - len(ending(path))] if ending(path) else path.stem


def read_channels(path: Path, *, name: str) -> dict[str, Volume]:
    """Read what channels a file holds.

    Args:
        path: A file of `ENDINGS`.
        name: What to call it in messages.

    Returns:
        The colors of a picture by name; the only channel of a volume as ""; several channels of a volume by their number.

    Raises:
        InputError: `unknown_image`, `non_finite_voxels` and all reasons of the readers.
    """
    if ending(path) in raster.ENDINGS:
        return dict(raster.read_picture(path, name=name))
    if ending(path) not in VOLUME_ENDINGS:
        raise InputError(
            f"Expected {', '.join(ENDINGS)} for {name}, found another kind of file. Convert it.", reason="unknown_image"
        )
    read = nifti.read_arrays if ending(path) in NIFTI_ENDINGS else itk_images.read
    arrays, geometry = read(path, name)
    if not all(np.isfinite(array).all() for array in arrays):
        raise InputError(
            f"Expected finite voxels in {name}, found NaN or infinite ones. Export the image again.",
            reason="non_finite_voxels",
        )
    numbers = [""] if len(arrays) == 1 else [str(number) for number in range(len(arrays))]
    return {
        number: Volume(array[None].astype(np.float32), geometry) for number, array in zip(numbers, arrays, strict=True)
    }


def require_unit(path: Path, modality: str, *, name: str) -> None:
    """Refuse a picture where voxels must have a unit: its gray values are neither HU nor SUV.

    Args:
        path: A file of `ENDINGS`.
        modality: What it is to be: DICOM's word.
        name: What to call it in messages.

    Raises:
        InputError: `picture_without_unit`.
    """
    if modality in UNITS and ending(path) in raster.ENDINGS:
        raise InputError(
            f"Expected values in {UNITS[modality]} for {name}, found a picture, whose gray values have no unit. Give the "
            "original image, or declare the channel as `kind: picture, modality: OT`.",
            reason="picture_without_unit",
        )


def require_same_turn(images: Iterable[Path], masks: Iterable[Path], *, name: str) -> None:
    """Refuse pictures that EXIF turns and masks that it doesn't, where the sizes don't tell which was drawn on which.

    Args:
        images: The images of a case.
        masks: Its masks.
        name: What to call it in messages.

    Raises:
        InputError: `turned_picture`.
    """
    drawn = [path for path in masks if ending(path) in raster.ENDINGS]
    for image in images:
        if ending(image) in raster.ENDINGS:
            raster.require_turned_alike(image, drawn, name=name)


def read_volume(path: Path, *, name: str) -> Volume:
    """Read a file of one channel; a picture's gray values.

    Raises:
        InputError: `not_three_dimensional` and as `read_channels`.
    """
    channels = read_channels(path, name=name)
    if len(channels) > 1 and "gray" not in channels:
        raise InputError(
            f"Expected one channel in a file of {name}, found {len(channels)}. Give one file a channel.",
            reason="not_three_dimensional",
        )
    if "gray" in channels:
        tell_gray(channels, name=name)
        return channels["gray"]
    return next(iter(channels.values()))


def tell_gray(channels: Mapping[str, Volume], *, name: str) -> None:
    """Say that a picture's colors are not used, where it has any.

    Args:
        channels: What `read_channels` returned, of which `gray` is used.
        name: What to call it in messages.
    """
    colors = [channels[color].array for color in raster.COLORS if color in channels]
    if any(not np.array_equal(colors[0], other) for other in colors[1:]):
        note(
            "color_turned_gray",
            f"An image of {name} has colors and was turned gray (luma, ITU-R 601). Declare the channels red, green and blue to keep "
            "them.",
        )


def read_mask(path: Path, labels: Sequence[int], *, name: str) -> Mask:
    """Read a label file.

    Args:
        path: A file of `ENDINGS`.
        labels: The values that are labels; what else a picture holds is taken for one drawn structure.
        name: What to call it in messages.

    Returns:
        The mask in the values found.

    Raises:
        InputError: `not_labels` when a voxel is no whole number 0..255, and all reasons of the readers.
    """
    if ending(path) in raster.ENDINGS:
        with reading_mask():
            return picture_masks.read_picture_mask(path, tuple(labels), name=name)
    if ending(path) in NIFTI_ENDINGS:
        return nifti.read_mask(path, name=name)
    with reading_mask():
        layers, geometry = itk_images.read(path, name)
    values = as_labels(layers[0]) if len(layers) == 1 else None
    if values is None:
        raise InputError(
            f"Expected whole labels 0..255 in the mask of {name}, found other values. Store labels, not probabilities.",
            reason="not_labels",
        )
    return Mask(values, geometry)


def read_layers_on(path: Path, grid: Geometry, *, name: str) -> list[NDArray[np.uint8]]:
    """Read the layers of a file whose segments are named, which may be cut to what was drawn.

    Args:
        path: A NRRD, MetaImage or NIfTI file.
        grid: Where the image lies that was drawn on.
        name: What to call it in messages.

    Returns:
        Values (slice, row, column) of each layer on the image's grid, 0 beyond the file's own.

    Raises:
        GeometryMismatchError: When its voxels are not the image's.
        InputError: `not_labels`, and all reasons of the reader.
    """
    with reading_mask():
        read = nifti.read_arrays if ending(path) in NIFTI_ENDINGS else itk_images.read
        layers, own = read(path, name)
    placed = []
    for layer in layers:
        values = as_labels(layer)
        if values is None:
            message = f"Expected whole labels 0..255 in the segments of {name}, found other values. Export it again."
            raise InputError(message, reason="not_labels")
        placed.append(_placed(values, own, grid, name))
    return placed


def _placed(values: NDArray[np.uint8], own: Geometry, grid: Geometry, name: str) -> NDArray[np.uint8]:
    return values if grid.same_grid(own) else put_on(Mask(values, own), grid, name=name, what="segments").labels
