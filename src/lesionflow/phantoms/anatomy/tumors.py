"""Tumors: irregular bodies of a wanted volume, put where they fit."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lesionflow.data.geometry import Geometry
from lesionflow.phantoms.anatomy.scene import Scene
from lesionflow.phantoms.anatomy.shapes import Blob, Ellipsoid, Point, Solid
from lesionflow.phantoms.randomness import rotation_matrix

MIN_VOLUME_ML = 2.0
MAX_VOLUME_ML = 200.0
#: Free space between a tumor and the border of the grid, in voxels along (slice, row, column).
BORDER_VOXELS = (1.5, 3.0, 3.0)
#: Free space between two tumors, so that they stay two.
GAP_MM = 12.0
N_ATTEMPTS = 60
#: Below 1, large tumors are drawn more often than evenly on a logarithmic scale.
VOLUME_SKEW = 0.33


@dataclass(frozen=True)
class Site:
    """Where tumors of a kind grow.

    Args:
        organ: Its name.
        tissue: What grows around them.
        centers: Their centers lie in here.
        host: At least `min_hosted_fraction` of their surface lies in here.
        min_hosted_fraction: See `host`.
        volume_ml: Smallest and largest.
        hu: Of the tumors, smallest and largest.
    """

    organ: str
    tissue: str
    centers: Ellipsoid
    host: Solid
    min_hosted_fraction: float
    volume_ml: tuple[float, float]
    hu: tuple[float, float]


@dataclass(frozen=True)
class Tumor:
    """A tumor in its patient.

    Args:
        body: Its shape in the patient's own frame; the truth is what lies inside of it.
        site: Where it grows.
        hu: Of its outer part.
        core_hu: Of its inner part, where blood does not reach.
        core_fraction: Size of the inner part, relative.
        edge_mm: How soft its border is.
        suv: Uptake of its outer part.
    """

    body: Blob
    site: Site
    hu: float
    core_hu: float
    core_fraction: float
    edge_mm: float
    suv: float


def draw_tumor(
    rng: np.random.Generator,
    site: Site,
    scene: Scene,
    geometry: Geometry,
    keep_out: Sequence[tuple[Solid, float]],
) -> Tumor | None:
    """Draw a tumor at a site, or None when none fits.

    Args:
        rng: Where it comes from.
        site: Where it shall grow.
        scene: The patient without tumors, for its pose and HU.
        geometry: The grid that must hold all of it.
        keep_out: Bodies with the distance, mm, that its surface keeps from each.
    """
    low, high = np.log(site.volume_ml)
    volume_ml = float(np.exp(low + (high - low) * rng.random() ** VOLUME_SKEW))
    for _ in range(N_ATTEMPTS):
        body = draw_blob(rng, volume_ml, _point_inside(rng, site.centers))
        if _fits(body, site, scene, geometry, keep_out):
            return _dress(rng, body, site)
        volume_ml = max(volume_ml * 0.97, site.volume_ml[0])
    return None


def draw_blob(rng: np.random.Generator, volume_ml: float, center: Point, roughness: float = 0.11) -> Blob:
    """Draw an irregular body of an exact volume.

    Args:
        rng: Where it comes from.
        volume_ml: Its volume.
        center: Its center, mm.
        roughness: Strength of the changes of its radius, relative.
    """
    stretch = np.exp(rng.normal(0, 0.18, 3))
    harmonics = []
    for _ in range(5):
        axis = rng.standard_normal(3)
        axis /= np.linalg.norm(axis)
        strengths = rng.normal(0, roughness, 4) / (1, 1.3, 1.7, 2.4)
        harmonics.append((_point(axis), (0.0, 0.0, *map(float, strengths))))
    turned = rotation_matrix(_point(rng.uniform(-180, 180, 3)))
    unit = Blob(center, _point(stretch), turned.tolist(), tuple(harmonics))
    radius = float(unit.surface_mm()[1].min())
    if radius <= 0:
        return draw_blob(rng, volume_ml, center, roughness * 0.8)
    return unit.scaled((volume_ml / unit.volume_ml()) ** (1 / 3))


def _point_inside(rng: np.random.Generator, region: Ellipsoid) -> Point:
    direction = rng.standard_normal(3)
    direction *= rng.random() ** (1 / 3) / np.linalg.norm(direction)
    return _point(np.asarray(region.center) + direction * np.asarray(region.semi_axes_mm))


def _fits(body: Blob, site: Site, scene: Scene, geometry: Geometry, keep_out: Sequence[tuple[Solid, float]]) -> bool:
    surface = body.surface_mm(12, 24)[0]
    index = geometry.to_index(surface @ scene.pose[:3, :3].T + scene.pose[:3, 3])
    border = np.asarray(BORDER_VOXELS)
    if (index < border).any() or (index > np.asarray(geometry.shape) - 1 - border).any():
        return False
    if (_distance(site.host, surface) < 0).mean() < site.min_hosted_fraction:
        return False
    return all(bool((_distance(shape, surface) > gap).all()) for shape, gap in keep_out)


def _dress(rng: np.random.Generator, body: Blob, site: Site) -> Tumor:
    hu = float(rng.uniform(*site.hu))
    return Tumor(
        body=body,
        site=site,
        hu=hu,
        core_hu=hu - float(rng.uniform(8, 20)),
        core_fraction=float(rng.uniform(0.35, 0.6)),
        edge_mm=float(rng.uniform(2.0, 4.5)),
        suv=float(np.exp(rng.uniform(np.log(2.5), np.log(14.0)))),
    )


def _distance(shape: Solid, points: NDArray[np.float64]) -> NDArray[np.float32]:
    x, y, z = points.T.astype(np.float32)
    return shape.distance_mm(x, y, z)


def _point(values: NDArray[np.float64]) -> Point:
    x, y, z = (float(v) for v in values)
    return x, y, z
