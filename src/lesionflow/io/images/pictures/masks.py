"""Masks drawn as pictures: labels, or one structure in white or any one color, by what is meant and not how it is stored."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lesionflow.data.volume import Mask
from lesionflow.io.images.pictures.colors import tell_color
from lesionflow.io.images.pictures.palettes import labels_of_palette, stored_or_seen
from lesionflow.io.images.pictures.raster import (
    DEEP_WHITE,
    FORMATS,
    GRAY_MODES,
    open_upright,
    pixel_grid,
    refuse_picture,
)
from lesionflow.io.images.pictures.samples import Samples, read_samples
from lesionflow.io.labels import INSIDE

#: Above the half of what one byte holds a pixel of a drawn mask is inside.
HALF = 127
#: Compression and smoothing leave values between outside and inside only along the edge.
BETWEEN = (64, 192)
MAX_BETWEEN_FRACTION, MAX_BETWEEN_PIXELS = 0.5, 64
#: Share of a mask's inside that compression may give another color.
MAX_OTHER_COLOR_FRACTION = 0.05
#: More values than this are no labels but the shades of a compressed or smoothed mask.
MAX_LABELS = 16


def read_picture_mask(path: Path, labels: tuple[int, ...], *, name: str) -> Mask:
    """Read a drawn mask: label values, or one structure in white or any one color, also when lossy compression blurred it.

    Args:
        path: A file of `ENDINGS`.
        labels: The values that are labels.
        name: What to call it in messages.

    Returns:
        The mask in the values found; one structure drawn in a color, or lossy, is 255.

    Raises:
        RasterError: As `read_picture`; `unknown_label`, `several_colors`, `blurred_mask`, `contradicting_palette` or
            `inverted_mask`.
    """
    opened = open_upright(path, name, palette=True)
    pixels = opened if isinstance(opened, np.ndarray) else _mask_pixels(opened, path, labels, name)
    lossy = pixels.dtype == np.uint8 and not (isinstance(opened, Image.Image) and opened.mode in {"P", "1"})
    colored = pixels
    if pixels.ndim == 3:
        pixels = _one_color(pixels, name)
    present = np.flatnonzero(np.bincount(pixels.ravel())) if pixels.dtype == np.uint8 else np.unique(pixels)
    allowed = {0, *labels, *(INSIDE if len(labels) == 1 else ())}
    if lossy and not set(present.tolist()) <= {0, 255} and _is_jpeg(path):
        if present[-1] <= HALF:
            refuse_picture(
                "blurred_mask",
                f"Expected black and white in the mask of {name}, a JPEG, found small numbers: compression changes labels that "
                "lie as near as 1 and 2. Save labels as PNG.",
            )
        pixels = _inside(pixels, name)
    elif len(labels) == 1 and pixels.dtype != np.uint8 and set(present.tolist()) == {0, DEEP_WHITE}:
        pixels = np.where(pixels > 0, np.uint8(255), np.uint8(0))
    elif not set(present.tolist()) <= allowed:
        if len(present) <= MAX_LABELS or not lossy:
            refuse_picture(
                "unknown_label",
                f"Expected the labels {', '.join(map(str, sorted(allowed)))} in the mask of {name}, found "
                f"{', '.join(f'{v:g}' for v in present[:12])}. Declare them in ingest.labels.",
            )
        pixels = _inside(pixels, name)
    if colored.ndim == 3 and len(labels) == 1:
        tell_color(colored[pixels > 0], name)
    return Mask(pixels.astype(np.uint8)[None], pixel_grid(pixels))


def _is_jpeg(path: Path) -> bool:
    """Tell whether a file is compressed so that neighboring values run into one another."""
    with Image.open(path, formats=FORMATS) as image:
        return image.format in {"JPEG", "MPO"} or image.info.get("compression") == "jpeg"


def _mask_pixels(image: Image.Image, path: Path, labels: tuple[int, ...], name: str) -> NDArray[Any]:
    """Return a mask's pixels by what they mean: gray (row, column) or colored (row, column, color)."""
    if image.mode == "P":
        palette = np.zeros((256, 3), dtype=np.uint8)
        colors = np.array(image.getpalette("RGB") or [], dtype=np.uint8).reshape(-1, 3)
        palette[: len(colors)] = colors
        return labels_of_palette(np.asarray(image), palette, labels, name=name)
    if image.mode not in GRAY_MODES:
        return np.asarray(image.convert("RGB"))
    pixels, stored = np.asarray(image), read_samples(path)
    pixels = pixels * np.uint8(255) if image.mode == "1" else pixels
    if stored is None or image.mode not in {"L", "1", "I;16", "I;16B"}:
        return pixels
    return _by_samples(pixels, stored, labels, name)


def _by_samples(pixels: NDArray[Any], stored: Samples, labels: tuple[int, ...], name: str) -> NDArray[Any]:
    """Return what is meant where Pillow spreads few bits over a byte, or turns round what has white as 0 (bytes alone)."""
    step = np.uint8(255 // (2 ** min(stored.bits, 8) - 1))
    if stored.white_is_zero and stored.bits > 8:
        return pixels if set(np.unique(pixels).tolist()) <= {0, *labels} else np.asarray(DEEP_WHITE - pixels)
    if stored.white_is_zero:
        return stored_or_seen((np.uint8(255) - pixels) // step, pixels, labels, name=name)
    return stored_or_seen(pixels // step, pixels, labels, name=name) if stored.bits in {2, 4} else pixels


def _one_color(colored: NDArray[Any], name: str) -> NDArray[Any]:
    """Return the brightest component of a mask drawn in one color (in gray, pure red weighs less than a third)."""
    brightest = np.asarray(colored.max(axis=-1))
    flat = np.unique(colored.reshape(-1, 3), axis=0)
    drawn = flat[(flat > 0).any(axis=1)]
    if len(flat) <= MAX_LABELS and len(drawn) > 1 and not (drawn == drawn[:, :1]).all():
        refuse_picture(
            "several_colors",
            f"Expected a mask in one color in {name}, found {len(drawn)}: which is which label can't be told. Save labels as gray "
            "values.",
        )
    if colored.dtype != np.uint8:
        return brightest
    inside = colored[brightest > HALF] > HALF
    codes = np.bincount(inside @ np.array([1, 2, 4]), minlength=8)
    if codes.sum() - codes.max() > MAX_OTHER_COLOR_FRACTION * codes.sum() + MAX_BETWEEN_PIXELS:
        refuse_picture(
            "several_colors",
            f"Expected a mask in one color in {name}, found {np.count_nonzero(codes)}. Save labels as gray values.",
        )
    return brightest


def _inside(pixels: NDArray[Any], name: str) -> NDArray[np.uint8]:
    inside = pixels > HALF
    between = np.count_nonzero((pixels >= BETWEEN[0]) & (pixels < BETWEEN[1]))
    if between > max(MAX_BETWEEN_FRACTION * np.count_nonzero(inside), MAX_BETWEEN_PIXELS):
        refuse_picture(
            "blurred_mask",
            f"Expected a mask of inside and outside in {name}, found {between} pixels between them. Save labels as PNG.",
        )
    return np.where(inside, np.uint8(255), np.uint8(0))
