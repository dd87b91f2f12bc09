"""PNG, JPEG, TIFF, BMP and GIF pictures by Pillow. A picture is a volume of one slice whose unit is the pixel."""

import struct
import warnings
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Volume
from lesionflow.errors import InputError, RasterError
from lesionflow.io.images.packing.checksums import ISAL_FAULT, verify_png, verify_strips
from lesionflow.io.images.pictures.samples import TIFF_SIGNATURES, Samples, decode_whole, read_directory, read_samples
from lesionflow.io.notes import note
from lesionflow.machine.error_words import plain_words
from lesionflow.machine.faults import blame_machine
from lesionflow.machine.study_budget import current_budget
from lesionflow.machine.volume_cost import require_volume

#: White in two bytes.
DEEP_WHITE = 65535
ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif")
#: What a file may be, whatever its ending says: no document that runs (EPS), no container of many sizes (ICO).
FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "DIB", "GIF", "WEBP", "PPM", "JPEG2000")
#: What Pillow warns of; more than twice this it refuses.
PILLOW_PIXELS = 89_478_485
#: Bytes of a pixel's number by Pillow's modes; one in others.
PIXEL_BYTES = {"I": 4, "F": 4, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}
#: What Pillow is known to raise on broken pictures.
READ_FAULTS = (
    AttributeError, EOFError, LookupError, MemoryError, OSError, OverflowError, RuntimeError, SyntaxError, TypeError, ValueError,
    struct.error, zlib.error, ISAL_FAULT,
)  # fmt: skip
#: Bytes of a pixel at most: four channels of 64 bits; rows and strips bring a few of their own.
MAX_PIXEL_BYTES, ROW_BYTES = 32, 64
#: TIFF 6.0: offsets and lengths of strips and of tiles; compressions that are zlib's.
COMPRESSION, STRIP_TAGS, DEFLATED = 259, ((273, 279), (324, 325)), (8, 32946)
GRAY_MODES = ("1", "L", "I", "F", "I;16", "I;16B", "I;16L", "I;16N")
#: Inks and perceived colors: what red, green and blue they are depends on a profile.
OTHER_COLORS = ("CMYK", "LAB", "HSV")
#: EXIF's tag for how a picture is to be turned (1: not at all); 5 to 8 exchange rows and columns.
ORIENTATION, UPRIGHT, EXCHANGING = 0x0112, 1, (5, 6, 7, 8)
#: Without one of these a PNG, JPEG or GIF says nothing of it (EXIF in its chunk or segment, in a profile, in XMP).
TURNING_WORDS = (b"eXIf", b"Exif", b"exif", b"rientation")
COLORS = ("red", "green", "blue")


def read_picture(path: Path, *, name: str) -> dict[str, Volume]:
    """Read a picture as channels of shape (1, 1, row, column), values as stored.

    Args:
        path: A file of `ENDINGS`.
        name: What to call it in messages.

    Returns:
        `gray`, and `red`, `green`, `blue` where the picture has colors; gray is then its luma (ITU-R 601).

    Raises:
        RasterError: `unreadable_picture`, `oversized_image`, `several_pages`, `transparent_picture`, `unsupported_colors`,
            `unsupported_samples`, `non_finite_voxels`.
    """
    opened = open_upright(path, name)
    if isinstance(opened, Image.Image):
        if opened.mode in GRAY_MODES:
            return {"gray": _volume(_gray(opened, path), name)}
        opened = np.asarray(opened.convert("RGB"))
    if opened.ndim == 2:
        return {"gray": _volume(opened, name)}
    volumes = {"gray": _volume(_luma(opened), name)}
    return volumes | {color: _volume(opened[..., number], name) for number, color in enumerate(COLORS)}


def orientation(path: Path) -> int:
    """Return EXIF's number of how a picture is to be turned; 1 where it says none, or can't be read."""
    try:
        content = path.read_bytes()
        # Pillow decodes a whole PNG before it looks; one of a thousand masks has such words.
        if not content.startswith(TIFF_SIGNATURES) and not any(word in content for word in TURNING_WORDS):
            return UPRIGHT
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as image:
                return int(image.getexif().get(ORIENTATION, UPRIGHT))
    except (Image.DecompressionBombError, *READ_FAULTS):
        return UPRIGHT


def require_turned_alike(image: Path, masks: Iterable[Path], *, name: str) -> None:
    """Refuse a mask that may have been drawn on its picture before or after EXIF turned one of them, where no size tells.

    Args:
        image: A picture.
        masks: Its masks.
        name: What to call the case in messages.

    Raises:
        RasterError: `turned_picture`.
    """
    turned = orientation(image)
    for mask in masks:
        both = {turned, orientation(mask)}
        if len(both) > 1 and not (UPRIGHT in both and both & set(EXCHANGING) and not _is_square(image)):
            refuse_picture(
                "turned_picture",
                f"Expected image and mask of {name} to be turned alike, found EXIF's orientations {sorted(both)}: whether the mask "
                "was drawn before or after that is unknown. Save both as they are shown, without EXIF.",
            )


def _is_square(path: Path) -> bool:
    with Image.open(path, formats=FORMATS) as opened:
        return opened.width == opened.height


def open_upright(path: Path, name: str, *, palette: bool = False) -> Image.Image | NDArray[Any]:
    """Open a picture upright.

    Args:
        path: A file of `ENDINGS`.
        name: What to call it in messages.
        palette: Whether to leave indices to a palette as they are.

    Returns:
        The picture; as an array where Pillow would cut its samples.

    Raises:
        RasterError: As `read_picture`, but for its values.
    """
    stored = read_samples(path)
    if stored is not None:
        _require_samples(stored, path, name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Pillow's own limit is half of what it raises an error for.
            Image.MAX_IMAGE_PIXELS = max(PILLOW_PIXELS, current_budget().limits.max_pixels)
            if stored is not None and stored.is_cut_by_pillow:
                return _decode_whole(path, stored, name)
            with Image.open(path, formats=FORMATS) as image:
                _require_plain(image, path, name)
                _verify(image, path)
                turned = image.getexif().get(ORIENTATION, UPRIGHT)
                image.load()
                upright = ImageOps.exif_transpose(image)
                _refuse_transparent(upright, name)
                _say_turned(turned, name)
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
            f"Expected a readable picture for {name}, found {plain_words(error, found)}. Export it again.",
            reason="unreadable_picture",
        ) from error


def _decode_whole(path: Path, stored: Samples, name: str) -> NDArray[Any]:
    turned = orientation(path)
    if turned != UPRIGHT:
        refuse_picture(
            "turned_picture",
            f"Expected {name} upright, found EXIF's orientation {turned} of a picture of {stored.bits} bits. Save it as it is shown.",
        )
    if path.suffix.lower() == ".png":
        # Pillow sees other harm than checksums do.
        with Image.open(path, formats=FORMATS) as image:
            _require_plain(image, path, name)
            _verify(image, path)
            image.load()
    else:
        _verify_strips(path, stored.width * stored.height * MAX_PIXEL_BYTES + stored.height * ROW_BYTES)
    return decode_whole(path, stored, name=name)


def _require_affordable(size: tuple[int, int], pixel_bytes: int, path: Path, name: str) -> None:
    """Refuse a picture by what its header claims."""
    limit = current_budget().limits.max_pixels
    if size[0] * size[1] > limit:
        refuse_picture(
            "oversized_image",
            f"Expected at most {limit} pixels in {name}, found {size[1]} x {size[0]}. Cut it into parts, or raise "
            "LESIONFLOW_MAX_PIXELS.",
        )
    require_volume((1, *size), None, name=name, itemsize=pixel_bytes, file_bytes=path.stat().st_size)


def _require_samples(stored: Samples, path: Path, name: str) -> None:
    _require_affordable((stored.height, stored.width), max(stored.n_samples * stored.bits // 8, 1), path, name)
    signed_bytes = stored.kind == "signed" and stored.bits == 8
    inverted = stored.white_is_zero and (stored.kind != "unsigned" or stored.bits > 16)
    if signed_bytes or inverted or stored.kind == "other":
        found = "numbers whose 0 is white" if inverted else f"{stored.kind} numbers of {stored.bits} bits"
        refuse_picture(
            "unsupported_samples", f"Expected bytes or whole or real numbers in {name}, found {found}. Export it again."
        )


def _say_turned(turned: int, name: str) -> None:
    if turned != UPRIGHT:
        note(
            "turned_picture",
            f"Turned the picture of {name} as its EXIF orientation {turned} says, as viewers show it.",
        )


def _gray(image: Image.Image, path: Path) -> NDArray[Any]:
    pixels = np.asarray(image, dtype=np.float32)
    stored = read_samples(path)
    # Pillow turns bytes round whose 0 is white, and leaves 16 bits as they are.
    return DEEP_WHITE - pixels if stored and stored.white_is_zero and stored.bits == 16 else pixels


def _luma(colored: NDArray[Any]) -> NDArray[Any]:
    """Return ITU-R 601's luma; of three equal samples, the sample."""
    if colored.dtype == np.uint8:
        return np.asarray(Image.fromarray(np.ascontiguousarray(colored)).convert("L"))
    return np.asarray(colored.astype(np.float64) @ np.array([299, 587, 114]) / 1000)


def _verify(image: Image.Image, path: Path) -> None:
    """Compare the checksums that a picture has: Pillow stops when it has its last row."""
    most_bytes = image.width * image.height * MAX_PIXEL_BYTES + image.height * ROW_BYTES
    if image.format == "PNG":
        verify_png(path.read_bytes(), most_bytes)
    if image.format == "TIFF":
        _verify_strips(path, most_bytes)


def _verify_strips(path: Path, most_bytes: int) -> None:
    with path.open("rb") as source:
        tags = read_directory(source)
        if tags.get(COMPRESSION) not in DEFLATED:
            return
        for offsets, lengths in STRIP_TAGS:
            places = zip(tags.get(offsets, ()), tags.get(lengths, ()), strict=True)
            verify_strips(source, places, most_bytes)


def _require_plain(image: Image.Image, path: Path, name: str) -> None:
    _require_affordable((image.height, image.width), len(image.getbands()) * PIXEL_BYTES.get(image.mode, 1), path, name)
    if image.mode in OTHER_COLORS:
        refuse_picture(
            "unsupported_colors",
            f"Expected gray or red, green and blue in {name}, found {image.mode}, which a profile alone makes colors of. Convert it.",
        )
    if _has_second_page(image):
        refuse_picture("several_pages", f"Expected one picture a file in {name}, found several. Save each by itself.")


def _has_second_page(image: Image.Image) -> bool:
    """Tell whether a file holds another picture: to count them all, Pillow walks through the file once a page."""
    try:
        image.seek(1)
    except EOFError:
        return False
    return True


def _refuse_transparent(image: Image.Image, name: str) -> None:
    if image.has_transparency_data and np.asarray(image.convert("RGBA"))[..., 3].min() < 255:
        refuse_picture(
            "transparent_picture",
            f"Expected an opaque picture in {name}, found transparent pixels: what lies behind them is unknown. Flatten it.",
        )


def _volume(pixels: NDArray[Any], name: str) -> Volume:
    if not np.isfinite(pixels).all():
        refuse_picture(
            "non_finite_voxels", f"Expected finite pixels in {name}, found NaN or infinity. Export it again."
        )
    return Volume(pixels.astype(np.float32)[None, None], pixel_grid(pixels))


def pixel_grid(pixels: NDArray[Any]) -> Geometry:
    """Return the grid of a picture: one slice, whose unit is the pixel."""
    return Geometry.from_parts((1, pixels.shape[0], pixels.shape[1]), (1.0, 1.0, 1.0), spacing_known=False)


def refuse_picture(reason: str, message: str) -> NoReturn:
    """Raise a picture's refusal."""
    raise RasterError(message, reason=reason)
