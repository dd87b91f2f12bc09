"""A scene: bodies of named tissues, painted one over the other on any grid."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lesionflow.data.geometry import Geometry
from lesionflow.phantoms.anatomy.shapes import Array, Solid

#: Of each tissue, a figure a property: a channel's value, or the strength of a texture.
Palette = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class TissueBody:
    """A body of one tissue; its edge goes from full to nothing within `edge_mm`."""

    shape: Solid
    tissue: str
    edge_mm: float = 3.0


@dataclass(frozen=True)
class Scene:
    """Bodies from bottom to top, what their tissues look like, and how the patient lies.

    Args:
        parts: Later ones cover earlier ones.
        palette: Figures of each tissue; `background` is what lies outside of all parts.
        pose: 4 x 4, patient's own frame -> LPS mm; a rotation and a shift.
    """

    parts: tuple[TissueBody, ...]
    palette: Palette
    pose: NDArray[np.float64]


def render(scene: Scene, properties: Sequence[str], geometry: Geometry) -> NDArray[np.float32]:
    """Paint a scene on a grid.

    Args:
        scene: What to paint.
        properties: Which figures of the tissues; a tissue without one has 0.
        geometry: The grid.

    Returns:
        float32 (property, slice, row, column).
    """
    values = {name: [float(tissue.get(p, 0.0)) for p in properties] for name, tissue in scene.palette.items()}
    image = np.empty((len(properties), *geometry.shape), dtype=np.float32)
    image[:] = np.asarray(values["background"], dtype=np.float32)[:, None, None, None]
    for part in scene.parts:
        block = block_around(scene, part.shape, part.edge_mm, geometry)
        if block is None:
            continue
        distance = part.shape.distance_mm(*patient_coordinates(scene, geometry, block))
        cover = np.clip(np.float32(0.5) - distance / np.float32(max(part.edge_mm, 1e-3)), 0, 1)
        for painted, value in zip(image, values[part.tissue], strict=True):
            painted[block] += cover * (np.float32(value) - painted[block])
    return image


def distance_mm(scene: Scene, shape: Solid, geometry: Geometry) -> Array:
    """Return the signed distance from one body on a whole grid, (slice, row, column), mm, negative inside."""
    whole = tuple(slice(0, n) for n in geometry.shape)
    distance = shape.distance_mm(*patient_coordinates(scene, geometry, whole))
    return np.asarray(np.broadcast_to(distance, geometry.shape))


def inside(scene: Scene, shape: Solid, geometry: Geometry) -> NDArray[np.bool_]:
    """Return which voxel centers lie inside a body, (slice, row, column)."""
    mask = np.zeros(geometry.shape, dtype=bool)
    block = block_around(scene, shape, 0.0, geometry)
    if block is not None:
        mask[block] = shape.distance_mm(*patient_coordinates(scene, geometry, block)) < 0
    return mask


def patient_coordinates(
    scene: Scene, geometry: Geometry, block: tuple[slice, ...], step: float = 1.0
) -> tuple[Array, Array, Array]:
    """Return x, y, z of the voxel centers of a block in the patient's own frame, mm, to be broadcast.

    Args:
        scene: Whose frame.
        geometry: The grid.
        block: Index range along (slice, row, column).
        step: Of the row and column index: 0.5 puts one more point between two voxels.
    """
    matrix = (np.linalg.inv(scene.pose) @ geometry.affine)[:3]
    steps = (1.0, step, step)
    s, r, c = (
        np.arange(b.start, b.stop - 1 + 1e-9, k).reshape([-1 if a == i else 1 for a in range(3)])
        for i, (b, k) in enumerate(zip(block, steps, strict=True))
    )
    x, y, z = (_along(row, (s, r, c)) for row in matrix)
    return x, y, z


def _along(row: NDArray[np.float64], indices: tuple[NDArray[np.float64], ...]) -> Array:
    """Return one coordinate; an index that does not change it is left out, so that straight grids stay cheap."""
    terms = (factor * index for factor, index in zip(row[:3], indices, strict=True) if abs(factor) > 1e-12)
    return np.asarray(sum(terms, start=np.full((1, 1, 1), row[3])), dtype=np.float32)


def block_around(scene: Scene, shape: Solid, margin_mm: float, geometry: Geometry) -> tuple[slice, ...] | None:
    """Return the smallest index block that holds a body and a margin, or None when it lies off the grid."""
    bounds = shape.bounds_mm()
    if bounds is None:
        return tuple(slice(0, n) for n in geometry.shape)
    center, radius = bounds
    reach = radius + margin_mm
    middle = geometry.to_index(scene.pose[:3, :3] @ np.asarray(center) + scene.pose[:3, 3])
    half = reach / np.asarray(geometry.spacing_mm)
    first = np.maximum(np.floor(middle - half), 0).astype(int)
    last = np.minimum(np.ceil(middle + half), np.asarray(geometry.shape) - 1).astype(int)
    if (last < first).any():
        return None
    return tuple(slice(int(a), int(b) + 1) for a, b in zip(first, last, strict=True))
