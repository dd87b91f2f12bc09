"""Small pictures of cases with their outlines, and one sheet of all: what no check finds, an eye does."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from lesionflow.data.case import Case
from lesionflow.data.dataset import Kind
from lesionflow.data.volume import IGNORED, outlined

#: Pixels of a thumbnail's longer side; of a sheet's columns, caption and gap.
SIDE = 176
N_COLUMNS = 8
CAPTION, GAP = 26, 4
#: A sheet of more cases is no longer looked through: several are made.
CASES_A_SHEET = 96
#: Okabe and Ito's orange, which color-blind readers tell from gray.
OUTLINE = (230, 159, 0)
#: Around what is not known: their sky blue.
NOT_KNOWN = (86, 180, 233)
MARKED = (240, 90, 70)
WINDOWS: Mapping[str, tuple[float, float]] = {"ct": (-160.0, 240.0), "pet": (0.0, 10.0)}
GRAY_PERCENT = (1.0, 99.5)
#: Masks (row, column) and the color of each one's border.
Drawn = tuple[tuple[NDArray[np.bool_], tuple[int, int, int]], ...]


def draw_thumbnail(case: Case, kinds: tuple[Kind, ...]) -> bytes:
    """Draw the slice with most of the outline (the middle one without), all channels side by side.

    Args:
        case: The case; the grid's axis that lies closest to head-feet is looked along, rows towards the back and columns
            towards the patient's left, as radiologists see it.
        kinds: The kind of each channel, which decides the window.

    Returns:
        A PNG; the same case gives the same bytes.
    """
    order, flips = _axial(case)
    image = _turn(case.volume.array, order, flips)
    labels = (
        np.zeros(case.volume.geometry.shape, np.uint8) if case.reference_mask is None else case.reference_mask.labels
    )
    turned = _turn(labels[None], order, flips)[0]
    mask, ignored = outlined(turned), np.asarray(turned == IGNORED)
    number = int(mask.sum(axis=(1, 2)).argmax()) if mask.any() else len(mask) // 2
    spacing = [case.volume.geometry.spacing_mm[axis] for axis in order]
    size = _size(mask.shape[1] * spacing[1], mask.shape[2] * spacing[2])
    drawn = ((ignored[number], NOT_KNOWN), (mask[number], OUTLINE))
    panels = [_panel(channel[number], kind, drawn, size) for channel, kind in zip(image, kinds, strict=True)]
    buffer = io.BytesIO()
    Image.fromarray(np.concatenate(panels, axis=1)).save(buffer, "PNG")
    return buffer.getvalue()


def draw_sheets(pictures: Sequence[tuple[str, bytes, str]]) -> list[bytes]:
    """Lay thumbnails out on sheets.

    Args:
        pictures: (case id, PNG, what was found, empty when nothing) in the order to be shown.

    Returns:
        PNGs of at most `CASES_A_SHEET` cases each; cases with findings are framed and say which.
    """
    starts = range(0, len(pictures), CASES_A_SHEET)
    return [_draw_sheet(pictures[start : start + CASES_A_SHEET]) for start in starts]


def _draw_sheet(pictures: Sequence[tuple[str, bytes, str]]) -> bytes:
    opened = [Image.open(io.BytesIO(png)).convert("RGB") for _, png, _ in pictures]
    width = max(image.width for image in opened) + GAP
    height = max(image.height for image in opened) + CAPTION + GAP
    n_columns = min(max(N_COLUMNS * (SIDE + GAP) // width, 1), len(opened))
    n_rows = -(-len(opened) // n_columns)
    sheet = Image.new("RGB", (n_columns * width + GAP, n_rows * height + GAP), (24, 24, 24))
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    for place, (image, (case_id, _, finding)) in enumerate(zip(opened, pictures, strict=True)):
        left, top = GAP + place % n_columns * width, GAP + place // n_columns * height
        sheet.paste(image, (left, top + CAPTION))
        draw.text((left, top), case_id, fill=MARKED if finding else (220, 220, 220), font=font)
        if finding:
            draw.text((left, top + CAPTION // 2), _fitting(finding, image.width, font), fill=MARKED, font=font)
            corner = (left + image.width - 1, top + CAPTION + image.height - 1)
            draw.rectangle((left, top + CAPTION, *corner), outline=MARKED, width=2)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    return buffer.getvalue()


def _fitting(text: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    while len(text) > 1 and font.getlength(text) > width:
        text = text[:-2] + "…"
    return text


def _axial(case: Case) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
    """Return the array axes closest to (head, back, left), and which of them run the other way."""
    cosines = case.volume.geometry.direction
    order: list[int] = []
    for lps in (2, 1, 0):
        free = [axis for axis in range(3) if axis not in order]
        order.append(max(free, key=lambda axis: abs(float(cosines[lps, axis]))))
    flips = [bool(cosines[lps, axis] < 0) for lps, axis in zip((2, 1, 0), order, strict=True)]
    return (order[0], order[1], order[2]), (flips[0], flips[1], flips[2])


def _turn(array: NDArray[Any], order: tuple[int, int, int], flips: tuple[bool, bool, bool]) -> NDArray[Any]:
    turned = array.transpose(0, *(axis + 1 for axis in order))
    return turned[(slice(None), *(slice(None, None, -1) if flip else slice(None) for flip in flips))]


def _size(height_mm: float, width_mm: float) -> tuple[int, int]:
    scale = SIDE / max(height_mm, width_mm)
    return max(round(height_mm * scale), 8), max(round(width_mm * scale), 8)


def _panel(plane: NDArray[Any], kind: Kind, drawn: Drawn, size: tuple[int, int]) -> NDArray[np.uint8]:
    values = plane.astype(np.float32)
    low, high = WINDOWS.get(kind) or (float(v) for v in np.percentile(values, GRAY_PERCENT))
    gray = np.clip((values - low) / max(high - low, 1e-6), 0, 1) * 255
    if kind == "pet":
        gray = 255 - gray
    shown = Image.fromarray(gray.astype(np.uint8)).resize((size[1], size[0]), Image.Resampling.BILINEAR)
    panel = np.repeat(np.asarray(shown)[:, :, None], 3, axis=2)
    for mask, color in drawn:
        white = Image.fromarray(mask.astype(np.uint8) * 255)
        inside = np.asarray(white.resize((size[1], size[0]), Image.Resampling.NEAREST)) > 0
        panel[inside & ~ndimage.binary_erosion(inside)] = color
    return panel
