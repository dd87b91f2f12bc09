"""PNG, JPEG, TIFF and BMP pictures: the only Pillow. A picture is a volume of one slice whose unit is the pixel."""

import struct
import warnings
import zlib
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask, Volume
from lesionflow.errors import InputError, RasterError
from lesionflow.io.images.checksums import ISAL_FAULT, verify_png, verify_strips
from lesionflow.io.labels import INSIDE
from lesionflow.machine.faults import blame_machine
from lesionflow.machine.study_budget import current_budget, require_volume

ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
#: What Pillow warns of; more than twice this it refuses.
PILLOW_PIXELS = 89_478_485
#: Bytes of a pixel's number by Pillow's modes; one in others.
PIXEL_BYTES = {"I": 4, "F": 4, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}
#: What Pillow is known to raise on broken pictures.
READ_FAULTS = (
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    OverflowError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
    ISAL_FAULT,
)
#: Bytes of a pixel at most: four channels of 64 bits; rows and strips bring a few of their own.
MAX_PIXEL_BYTES, ROW_BYTES = 32, 64
#: TIFF 6.0: offsets and lengths of strips and of tiles; compressions that are zlib's.
STRIP_TAGS, DEFLATED = ((273, 279), (324, 325)), (8, 32946)
GRAY_MODES = ("1", "L", "I", "F", "I;16", "I;16B", "I;16L", "I;16N")
COLORS = ("red", "green", "blue")
#: Above the half of what one byte holds a pixel of a drawn mask is inside.
HALF = 127
#: Compression and smoothing leave values between outside and inside only along the edge.
BETWEEN = (64, 192)
MAX_BETWEEN_FRACTION, MAX_BETWEEN_PIXELS = 0.5, 64
#: Share of a mask's inside that compression may give another color.
MAX_OTHER_COLOR_FRACTION = 0.05
#: More values than this are no labels but the shades of a compressed or smoothed mask.
MAX_LABELS = 16


def read_picture(path: Path, *, name: str) -> dict[str, Volume]:
    """Read a picture as channels of shape (1, 1, row, column), values as stored.

    Args:
        path: A file of `ENDINGS`.
        name: What to call it in messages.

    Returns:
        `gray`, and `red`, `green`, `blue` where the picture has colors; gray is then its luma (ITU-R 601).

    Raises:
        RasterError: `unreadable_picture`, `oversized_image`, `several_pages`, `transparent_picture`, `non_finite_voxels`.
    """
    image = _open(path, name)
    if image.mode in GRAY_MODES:
        return {"gray": _volume(np.asarray(image, dtype=np.float32), name)}
    colored = np.asarray(image.convert("RGB"))
    volumes = {"gray": _volume(np.asarray(image.convert("RGB").convert("L")), name)}
    return volumes | {color: _volume(colored[..., number], name) for number, color in enumerate(COLORS)}


def read_picture_mask(path: Path, labels: tuple[int, ...], *, name: str) -> Mask:
    """Read a drawn mask: label values, or one structure in white or any one color, also when lossy compression blurred it.

    Args:
        path: A file of `ENDINGS`.
        labels: The values that are labels.
        name: What to call it in messages.

    Returns:
        The mask in the values found; one structure drawn in a color, or lossy, is 255.

    Raises:
        RasterError: As `read_picture`; `unknown_label`, `several_colors` or `blurred_mask`.
    """
    image = _open(path, name, palette=True)
    pixels = np.asarray(image if image.mode in (*GRAY_MODES, "P") else image.convert("RGB"))
    if pixels.ndim == 3:
        pixels = _one_color(pixels, name)
    present = np.flatnonzero(np.bincount(pixels.ravel())) if pixels.dtype == np.uint8 else np.unique(pixels)
    allowed = {0, *labels, *(INSIDE if len(labels) == 1 else ())}
    if not set(present.tolist()) <= allowed:
        if len(present) <= MAX_LABELS or image.mode not in {"L", "RGB", "RGBA"}:
            _refuse(
                "unknown_label",
                f"Expected the labels {', '.join(map(str, sorted(allowed)))} in the mask of {name}, found "
                f"{', '.join(f'{v:g}' for v in present[:12])}. Declare them in ingest.labels.",
            )
        pixels = _inside(pixels, name)
    return Mask(pixels.astype(np.uint8)[None], _geometry(pixels))


def _open(path: Path, name: str, *, palette: bool = False) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Pillow's own limit is half of what it raises an error for.
            Image.MAX_IMAGE_PIXELS = max(PILLOW_PIXELS, current_budget().limits.max_pixels)
            with Image.open(path) as image:
                _require_plain(image, path, name)
                _verify(image, path)
                image.load()
                upright = ImageOps.exif_transpose(image)
                _refuse_transparent(upright, name)
                return upright if palette or upright.mode != "P" else upright.convert("RGB")
    except InputError:
        raise
    except Image.DecompressionBombError as error:
        limit = current_budget().limits.max_pixels
        message = f"Expected at most {limit} pixels in {name}, found far more. Cut it into parts, or raise LESIONFLOW_MAX_PIXELS."
        raise RasterError(message, reason="oversized_image") from error
    except READ_FAULTS as error:
        blame_machine(error)
        found = str(error).replace(str(path), "it")
        raise RasterError(
            f"Expected a readable picture for {name}, found {type(error).__name__}: {found:.150}. Export it again.",
            reason="unreadable_picture",
        ) from error


def _verify(image: Image.Image, path: Path) -> None:
    """Compare the checksums that a picture has: Pillow stops when it has its last row."""
    most_bytes = image.width * image.height * MAX_PIXEL_BYTES + image.height * ROW_BYTES
    if image.format == "PNG":
        verify_png(path.read_bytes(), most_bytes)
    tags = getattr(image, "tag_v2", {})
    if image.format != "TIFF" or tags.get(259) not in DEFLATED:
        return
    with path.open("rb") as source:
        for offsets, lengths in STRIP_TAGS:
            places = zip(tags.get(offsets, ()), tags.get(lengths, ()), strict=True)
            verify_strips(source, places, most_bytes)


def _require_plain(image: Image.Image, path: Path, name: str) -> None:
    limit = current_budget().limits.max_pixels
    if image.width * image.height > limit:
        _refuse(
            "oversized_image",
            f"Expected at most {limit} pixels in {name}, found {image.width} x {image.height}. Cut it into parts, or raise "
            "LESIONFLOW_MAX_PIXELS.",
        )
    n_bytes = len(image.getbands()) * PIXEL_BYTES.get(image.mode, 1)
    size = (1, image.height, image.width)
    require_volume(size, None, name=name, itemsize=n_bytes, file_bytes=path.stat().st_size)
    n_pages = int(getattr(image, "n_frames", 1))
    if n_pages > 1:
        _refuse("several_pages", f"Expected one picture a file in {name}, found {n_pages} pages. Save each by itself.")


def _refuse_transparent(image: Image.Image, name: str) -> None:
    if image.has_transparency_data and np.asarray(image.convert("RGBA"))[..., 3].min() < 255:
        _refuse(
            "transparent_picture",
            f"Expected an opaque picture in {name}, found transparent pixels: what lies behind them is unknown. Flatten it.",
        )


def _one_color(colored: NDArray[np.uint8], name: str) -> NDArray[np.uint8]:
    """Return the brightest component of a mask drawn in one color (in gray, pure red weighs less than a third)."""
    brightest = np.asarray(colored.max(axis=-1))
    inside = colored[brightest > HALF] > HALF
    codes = np.bincount(inside @ np.array([1, 2, 4]), minlength=8)
    if codes.sum() - codes.max() > MAX_OTHER_COLOR_FRACTION * codes.sum() + MAX_BETWEEN_PIXELS:
        _refuse(
            "several_colors",
            f"Expected a mask in one color in {name}, found {np.count_nonzero(codes)}. Save labels as gray values.",
        )
    return brightest


def _inside(pixels: NDArray[Any], name: str) -> NDArray[np.uint8]:
    inside = pixels > HALF
    between = np.count_nonzero((pixels >= BETWEEN[0]) & (pixels < BETWEEN[1]))
    if between > max(MAX_BETWEEN_FRACTION * np.count_nonzero(inside), MAX_BETWEEN_PIXELS):
        _refuse(
            "blurred_mask",
            f"Expected a mask of inside and outside in {name}, found {between} pixels between them. Save labels as PNG.",
        )
    return np.where(inside, np.uint8(255), np.uint8(0))


def _volume(pixels: NDArray[Any], name: str) -> Volume:
    if not np.isfinite(pixels).all():
        _refuse("non_finite_voxels", f"Expected finite pixels in {name}, found NaN or infinity. Export it again.")
    return Volume(pixels.astype(np.float32)[None, None], _geometry(pixels))


def _geometry(pixels: NDArray[Any]) -> Geometry:
    return Geometry.from_parts((1, pixels.shape[0], pixels.shape[1]), (1.0, 1.0, 1.0), spacing_known=False)


def _refuse(reason: str, message: str) -> NoReturn:
    raise RasterError(message, reason=reason)
