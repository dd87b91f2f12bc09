"""Pictures of single cases. Contours over the image, never filled masks; two colors that everybody can tell apart."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from PIL import Image

from lesionflow.data.case import Case
from lesionflow.data.dataset import Kind
from lesionflow.data.volume import Mask, Volume, outlined

#: Okabe and Ito's palette: orange and sky blue differ in lightness too, so that a gray print still tells them apart.
REFERENCE_COLOR, PREDICTED_COLOR = "#56B4E9", "#E69F00"
#: The reference is drawn whole and the prediction dashed over it: where they agree, both are seen.
REFERENCE_LINE, PREDICTED_LINE = "solid", "dashed"
WINDOWS: Mapping[str, tuple[float, float]] = {"ct": (-160.0, 240.0), "pet": (0.0, 10.0)}
#: Percentiles that bound the gray scale where values have no unit.
GRAY_PERCENT = (1.0, 99.5)
DPI = 100
PLANES = ("axial", "coronal", "sagittal")
#: What is shown around the masks when a picture is drawn closer, in mm, and the least it shows.
CLOSE_MARGIN_MM, CLOSE_LEAST_MM = 15.0, 60.0
#: A closer picture is drawn when it shows less than this share of the whole one's width.
CLOSE_SHARE = 0.6
#: Gray levels, and how a line of either color fades into the gray beside it, fit into one palette of 256: a third of the
#: bytes, and the colors stay what they are.
PALETTE_GRAYS, FADES, FADED_GRAYS = 64, (0.33, 0.67), 24


class _Outline(NamedTuple):
    mask: NDArray[np.bool_]
    color: str
    line: str


def overlay_planes(
    case: Case, predicted: Mask, kinds: tuple[Kind, ...], title: str, labels: tuple[int, ...] | None = None
) -> bytes:
    """Draw the slices where reference and prediction differ most, in three planes, contours of both.

    Where the masks are small, a last row draws the first channel closer. A single slice has one plane alone.

    Args:
        case: Image and, where there is one, reference.
        predicted: The mask on the same grid.
        kinds: The kind of each channel.
        title: Above the picture: case and Dice.
        labels: Labels drawn as one; all where None.

    Returns:
        A PNG.
    """
    masks = _masks(case, predicted, labels)
    numbers = [_most_telling(masks, axis) for axis in range(3)]
    close = _close_box(masks, case.volume.geometry.spacing_mm)
    n_rows = len(kinds) + (close is not None)
    planes = PLANES[:1] if case.volume.geometry.shape[0] == 1 else PLANES
    figure = Figure(figsize=(3.6 * len(planes) + 0.4, 3.4 * n_rows + 0.6), dpi=DPI, layout="constrained")
    axes = figure.subplots(n_rows, len(planes), squeeze=False)
    for axis, plane in enumerate(planes):
        for row, kind in enumerate(kinds):
            _draw_plane(axes[row][axis], case.volume, row, kind, masks, axis, numbers[axis])
            if close is not None and row == 0:
                _frame(axes[row][axis], close, axis)
        if close is not None:
            _draw_plane(axes[-1][axis], case.volume, 0, kinds[0], masks, axis, numbers[axis])
            _zoom(axes[-1][axis], close, axis)
        position = case.volume.geometry.to_lps([numbers[axis] if i == axis else 0 for i in range(3)])
        along = int(np.abs(case.volume.geometry.direction[:, axis]).argmax())
        axes[0][axis].set_title(f"{plane}, {'xyz'[along]} = {position[along]:.1f} mm", fontsize=10)
    _legend(figure, title, has_reference=case.reference_mask is not None)
    return to_png(figure, palette=True)


def overlay_slice(volume: Volume, predicted: Mask, kinds: tuple[Kind, ...], title: str) -> bytes:
    """Draw the slice with most of the predicted mask, all channels side by side.

    Args:
        volume: The study.
        predicted: Its mask, on the same grid.
        kinds: The kind of each channel.
        title: Above the picture.

    Returns:
        A PNG.
    """
    masks = [_Outline(predicted.labels > 0, PREDICTED_COLOR, "solid")]
    number = _most_telling(masks, 0)
    figure = Figure(figsize=(4.5 * len(kinds), 4.8), dpi=DPI, layout="constrained")
    axes = figure.subplots(1, len(kinds), squeeze=False)
    for channel, kind in enumerate(kinds):
        _draw_plane(axes[0][channel], volume, channel, kind, masks, 0, number)
    height = volume.geometry.to_lps([number, 0, 0])[2]
    _legend(figure, f"{title}\nslice {number}, z = {height:.1f} mm", has_reference=False)
    # Whoever asks packs it again, with a text in it.
    return to_png(figure, compress_level=1)


def font_folder() -> Path:
    """Return where the fonts lie that pictures are written in: DejaVu's, for whoever writes words beside them."""
    return Path(mpl.get_data_path(), "fonts", "ttf")


def to_png(figure: Figure, *, palette: bool = False, compress_level: int = 6) -> bytes:
    """Return a figure as PNG; with a palette where it is gray but for a few colors."""
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(
        buffer, metadata={"Software": None}, pil_kwargs={"compress_level": compress_level}
    )
    if not palette:
        return buffer.getvalue()
    small = io.BytesIO()
    image = Image.open(buffer).convert("RGB").quantize(palette=_palette(), dither=Image.Dither.NONE)
    image.save(small, format="PNG", optimize=True)
    return small.getvalue()


def _palette() -> Image.Image:
    colors = [np.full(3, level) for level in np.linspace(0, 255, PALETTE_GRAYS)]
    for color in (REFERENCE_COLOR, PREDICTED_COLOR):
        line = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)])
        colors.append(line)
        for fade in FADES:
            colors += [fade * line + (1 - fade) * level for level in np.linspace(0, 255, FADED_GRAYS)]
    image = Image.new("P", (1, 1))
    image.putpalette(np.rint(colors).astype(np.uint8).ravel().tolist())
    return image


def to_array(png: bytes) -> NDArray[np.uint8]:
    """Return a PNG as uint8 (row, column, 3)."""
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), dtype=np.uint8)


def _masks(case: Case, predicted: Mask, labels: tuple[int, ...] | None) -> list[_Outline]:
    masks = []
    for mask, color, line in (
        (case.reference_mask, REFERENCE_COLOR, REFERENCE_LINE),
        (predicted, PREDICTED_COLOR, PREDICTED_LINE),
    ):
        if mask is not None:
            masks.append(_Outline(outlined(mask.labels) if labels is None else mask.region(labels), color, line))
    return masks


def _most_telling(masks: list[_Outline], axis: int) -> int:
    """The slice where two masks differ most; where they agree or one is alone, with most of it; else the middle one."""
    others = tuple(i for i in range(3) if i != axis)
    differ = np.logical_xor(masks[0].mask, masks[-1].mask)
    for shown in (differ, *(outline.mask for outline in masks)):
        area = shown.sum(axis=others)
        if area.any():
            return int(area.argmax())
    return int(differ.shape[axis] // 2)


def _close_box(masks: list[_Outline], spacing_mm: tuple[float, float, float]) -> list[tuple[float, float]] | None:
    """Bounds of a closer picture along each axis, in voxels; None where the whole one is close enough."""
    union = np.logical_or.reduce([outline.mask for outline in masks])
    if not union.any():
        return None
    box = []
    for axis, spacing in enumerate(spacing_mm):
        places = np.flatnonzero(union.any(axis=tuple(i for i in range(3) if i != axis)))
        center = (places[0] + places[-1]) / 2
        half = max((places[-1] - places[0] + 1) / 2 + CLOSE_MARGIN_MM / spacing, CLOSE_LEAST_MM / 2 / spacing)
        box.append((max(center - half, -0.5), min(center + half, union.shape[axis] - 0.5)))
    shares = [(high - low) / n for (low, high), n in zip(box[1:], union.shape[1:], strict=True)]
    return box if max(shares) < CLOSE_SHARE else None


def _in_plane(box: list[tuple[float, float]], plane: int) -> list[tuple[float, float]]:
    return [side for i, side in enumerate(box) if i != plane]


def _frame(axis: Any, box: list[tuple[float, float]], plane: int) -> None:
    down, across = _in_plane(box, plane)
    size = (across[1] - across[0], down[1] - down[0])
    axis.add_patch(Rectangle((across[0], down[0]), *size, fill=False, edgecolor="white", linewidth=0.8, linestyle=":"))


def _zoom(axis: Any, box: list[tuple[float, float]], plane: int) -> None:
    down, across = _in_plane(box, plane)
    axis.set_xlim(*across)
    axis.set_ylim(*(reversed(down) if plane == 0 else down))


def _draw_plane(
    axis: Any, volume: Volume, channel: int, kind: Kind, masks: list[_Outline], plane: int, number: int
) -> None:
    image = np.take(volume.array[channel], number, axis=plane)
    down, across = (volume.geometry.spacing_mm[i] for i in range(3) if i != plane)
    low, high = WINDOWS.get(kind) or np.percentile(volume.array[channel], GRAY_PERCENT)
    # Slices ascend towards the head in canonical orientation: head up in coronal and sagittal pictures.
    origin = "upper" if plane == 0 else "lower"
    axis.imshow(image, cmap="gray", vmin=low, vmax=max(high, low + 1e-6), aspect=down / across, origin=origin)
    for outline in masks:
        cut = np.take(outline.mask, number, axis=plane)
        if cut.any():
            # A margin of nothing, so that a mask at the image's border has a contour there.
            places = [np.arange(-1, n + 1) for n in cut.shape]
            axis.contour(
                places[1], places[0], np.pad(cut, 1), levels=[0.5], colors=[outline.color], linewidths=1.3,
                linestyles=outline.line,
            )  # fmt: skip
    axis.set_xlim(-0.5, image.shape[1] - 0.5)
    axis.set_ylim(*((image.shape[0] - 0.5, -0.5) if plane == 0 else (-0.5, image.shape[0] - 0.5)))
    axis.set_axis_off()


def _legend(figure: Figure, title: str, *, has_reference: bool) -> None:
    line = PREDICTED_LINE if has_reference else "solid"
    lines = [Line2D([], [], color=PREDICTED_COLOR, linestyle=line, label="prediction")]
    if has_reference:
        lines.insert(0, Line2D([], [], color=REFERENCE_COLOR, linestyle=REFERENCE_LINE, label="reference"))
    figure.suptitle(title, fontsize=11)
    figure.legend(handles=lines, loc="outside lower center", ncols=2, fontsize=9, frameon=False)
