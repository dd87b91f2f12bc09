"""Pictures that a reviewer looks at. Contours over the image, never filled masks; two colors that everybody can tell apart."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lesionflow.data.case import Case
from lesionflow.data.dataset import Kind
from lesionflow.data.volume import Mask, Volume

#: Okabe and Ito's palette: orange and sky blue differ in lightness too, so that a gray print still tells them apart.
REFERENCE_COLOR, PREDICTED_COLOR = "#56B4E9", "#E69F00"
WINDOWS: Mapping[str, tuple[float, float]] = {"ct": (-160.0, 240.0), "pet": (0.0, 10.0)}
#: Percentiles that bound the gray scale where values have no unit.
GRAY_PERCENT = (1.0, 99.5)
DPI = 100
PLANES = ("axial", "coronal", "sagittal")


def overlay_planes(
    case: Case, predicted: Mask, kinds: tuple[Kind, ...], title: str, labels: tuple[int, ...] | None = None
) -> bytes:
    """Draw the slices that show most of reference and prediction, in three planes, contours of both.

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
    figure = Figure(figsize=(3.6 * 3, 3.6 * len(kinds) + 0.5), dpi=DPI, layout="constrained")
    axes = figure.subplots(len(kinds), 3, squeeze=False)
    for axis, plane in enumerate(PLANES):
        number = _fullest(masks, axis)
        for row, kind in enumerate(kinds):
            _draw_plane(axes[row][axis], case.volume, row, kind, masks, axis, number)
        position = case.volume.geometry.to_lps([number if i == axis else 0 for i in range(3)])
        along = int(np.abs(case.volume.geometry.direction[:, axis]).argmax())
        axes[0][axis].set_title(f"{plane}, {'xyz'[along]} = {position[along]:.1f} mm", fontsize=9)
    _legend(figure, title, has_reference=case.reference_mask is not None)
    return _png(figure)


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
    masks = [(predicted.labels > 0, PREDICTED_COLOR)]
    number = _fullest(masks, 0)
    figure = Figure(figsize=(4.5 * len(kinds), 4.8), dpi=DPI, layout="constrained")
    axes = figure.subplots(1, len(kinds), squeeze=False)
    for channel, kind in enumerate(kinds):
        _draw_plane(axes[0][channel], volume, channel, kind, masks, 0, number)
    height = volume.geometry.to_lps([number, 0, 0])[2]
    _legend(figure, f"{title}\nslice {number}, z = {height:.1f} mm", has_reference=False)
    return _png(figure)


def confusion_matrix(table: pd.DataFrame, target: str) -> bytes:
    """Draw voxels by reference and prediction, counts and shares of the reference."""
    rows = table[table["target"] == target]
    counts = np.array([[rows["tn"].sum(), rows["fp"].sum()], [rows["fn"].sum(), rows["tp"].sum()]], dtype=float)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(4.2, 3.6), dpi=DPI, layout="constrained")
    axis = figure.subplots()
    axis.imshow(shares, cmap="cividis", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        text = f"{share:.2%}\n{counts[row, column]:,.0f}"
        axis.text(column, row, text, ha="center", va="center", color="black" if share > 0.5 else "white")
    axis.set_xticks([0, 1], ["background", target])
    axis.set_yticks([0, 1], ["background", target])
    axis.set_xlabel("predicted voxels")
    axis.set_ylabel("reference voxels")
    return _png(figure)


def volumes_plot(table: pd.DataFrame, target: str) -> bytes:
    """Draw Dice by tumor size, and Bland and Altman's plot of the volumes (1986, DOI 10.1016/S0140-6736(86)90837-8)."""
    rows = table[table["target"] == target]
    figure = Figure(figsize=(9, 3.6), dpi=DPI, layout="constrained")
    left, right = figure.subplots(1, 2)
    left.scatter(rows["reference_ml"], rows["dice"], color=REFERENCE_COLOR, edgecolor="black")
    left.set(xlabel="reference volume (ml)", ylabel="Dice", ylim=(-0.02, 1.02), xscale="symlog")
    error = rows["predicted_ml"] - rows["reference_ml"]
    right.scatter((rows["predicted_ml"] + rows["reference_ml"]) / 2, error, color=PREDICTED_COLOR, edgecolor="black")
    spread = 1.96 * float(error.std(ddof=1)) if len(error) > 1 else 0.0
    for level, style in ((error.mean(), "-"), (error.mean() + spread, "--"), (error.mean() - spread, "--")):
        right.axhline(level, color="black", linestyle=style, linewidth=1)
    right.set(xlabel="mean of both volumes (ml)", ylabel="predicted minus reference (ml)")
    return _png(figure)


def to_array(png: bytes) -> NDArray[np.uint8]:
    """Return a PNG as uint8 (row, column, 3)."""
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), dtype=np.uint8)


def _masks(case: Case, predicted: Mask, labels: tuple[int, ...] | None) -> list[tuple[NDArray[np.bool_], str]]:
    masks = []
    for mask, color in ((case.reference_mask, REFERENCE_COLOR), (predicted, PREDICTED_COLOR)):
        if mask is not None:
            masks.append((mask.labels > 0 if labels is None else mask.region(labels), color))
    return masks


def _fullest(masks: list[tuple[NDArray[np.bool_], str]], axis: int) -> int:
    """The slice with most of the first mask that is not empty; the middle one when all are."""
    others = tuple(i for i in range(3) if i != axis)
    for mask, _ in masks:
        area = mask.sum(axis=others)
        if area.any():
            return int(area.argmax())
    return int(masks[0][0].shape[axis] // 2)


def _draw_plane(
    axis: Any,
    volume: Volume,
    channel: int,
    kind: Kind,
    masks: list[tuple[NDArray[np.bool_], str]],
    plane: int,
    number: int,
) -> None:
    image = np.take(volume.array[channel], number, axis=plane)
    down, across = (volume.geometry.spacing_mm[i] for i in range(3) if i != plane)
    low, high = WINDOWS.get(kind) or np.percentile(volume.array[channel], GRAY_PERCENT)
    # Slices ascend towards the head in canonical orientation: head up in coronal and sagittal pictures.
    origin = "upper" if plane == 0 else "lower"
    axis.imshow(image, cmap="gray", vmin=low, vmax=max(high, low + 1e-6), aspect=down / across, origin=origin)
    for mask, color in masks:
        cut = np.take(mask, number, axis=plane)
        # A single slice has no contour in the planes across it.
        if cut.any() and min(cut.shape) > 1:
            axis.contour(cut, levels=[0.5], colors=[color], linewidths=1.2)
    axis.set_axis_off()


def _legend(figure: Figure, title: str, *, has_reference: bool) -> None:
    from matplotlib.lines import Line2D

    lines = [Line2D([], [], color=PREDICTED_COLOR, label="prediction")]
    if has_reference:
        lines.insert(0, Line2D([], [], color=REFERENCE_COLOR, label="reference"))
    figure.suptitle(title, fontsize=10)
    figure.legend(handles=lines, loc="outside lower center", ncols=2, fontsize=8, frameon=False)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})
    return buffer.getvalue()
