"""Bodies as functions of position: each says how far a point lies from its surface, in mm, negative inside.

Points are in the patient's own frame in mm: x to the left, y to the back, z to the head, as LPS of a patient who lies
straight. Distances are exact for tubes, and along the ray from the center for the others: enough for soft edges.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Point = tuple[float, float, float]
#: Keeps a division by zero away at the very center of a body.
TINY = np.float32(1e-6)
IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


class Solid(Protocol):
    """What can be painted."""

    def distance_mm(self, x: Array, y: Array, z: Array) -> Array:
        """Return the signed distance from the surface in mm, negative inside, broadcast over the three coordinates."""
        ...

    def bounds_mm(self) -> tuple[Point, float] | None:
        """Return center and radius of a ball around the body, or None when it has no end."""
        ...


@dataclass(frozen=True)
class Ellipsoid:
    """An ellipsoid, or with `power` above 2 a rounder box, turned about z."""

    center: Point
    semi_axes_mm: Point
    turn_degrees: float = 0.0
    power: float = 2.0

    def distance_mm(self, x: Array, y: Array, z: Array) -> Array:
        """See `Shape`."""
        turn = np.deg2rad(self.turn_degrees)
        cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
        dx, dy, dz = (v - np.float32(c) for v, c in zip((x, y, z), self.center, strict=True))
        u, v, w = cos * dx + sin * dy, -sin * dx + cos * dy, dz
        a, b, c = (np.float32(s) for s in self.semi_axes_mm)
        if self.power == 2.0:
            level = np.sqrt((u / a) ** 2 + (v / b) ** 2 + (w / c) ** 2)
        else:
            p = np.float32(self.power)
            level = (np.abs(u / a) ** p + np.abs(v / b) ** p + np.abs(w / c) ** p) ** (1 / p)
        return np.asarray(np.sqrt(u * u + v * v + w * w) * (1 - 1 / (level + TINY)), dtype=np.float32)

    def bounds_mm(self) -> tuple[Point, float]:
        """See `Shape`."""
        return self.center, float(max(self.semi_axes_mm)) * (1.0 if self.power == 2.0 else 1.75)


@dataclass(frozen=True)
class Tube:
    """A straight tube with round ends."""

    start: Point
    end: Point
    radius_mm: float

    def distance_mm(self, x: Array, y: Array, z: Array) -> Array:
        """See `Shape`."""
        axis = np.subtract(self.end, self.start).astype(np.float32)
        dx, dy, dz = (v - np.float32(c) for v, c in zip((x, y, z), self.start, strict=True))
        along = (dx * axis[0] + dy * axis[1] + dz * axis[2]) / np.float32(axis @ axis + TINY)
        along = np.clip(along, 0, 1)
        squared = (dx - along * axis[0]) ** 2 + (dy - along * axis[1]) ** 2 + (dz - along * axis[2]) ** 2
        return np.asarray(np.sqrt(squared) - np.float32(self.radius_mm), dtype=np.float32)

    def bounds_mm(self) -> tuple[Point, float]:
        """See `Shape`."""
        a, b = np.asarray(self.start), np.asarray(self.end)
        x, y, z = (float(v) for v in (a + b) / 2)
        return (x, y, z), float(np.linalg.norm(b - a)) / 2 + self.radius_mm


@dataclass(frozen=True)
class Slab:
    """A box without end along z: half widths along x and y."""

    center_xy_mm: tuple[float, float]
    half_mm: tuple[float, float]

    def distance_mm(self, x: Array, y: Array, z: Array) -> Array:
        """See `Shape`."""
        dx = np.abs(x - np.float32(self.center_xy_mm[0])) - np.float32(self.half_mm[0])
        dy = np.abs(y - np.float32(self.center_xy_mm[1])) - np.float32(self.half_mm[1])
        return np.asarray(np.maximum(dx, dy) + 0 * z, dtype=np.float32)

    def bounds_mm(self) -> None:
        """See `Shape`."""
        return


@dataclass(frozen=True)
class Trunk:
    """A trunk without end along z: a superellipse with a few waves, wider or narrower by `inset_mm`."""

    half_width_mm: float
    half_depth_mm: float
    waves: tuple[tuple[int, float, float], ...] = ()
    taper_per_mm: float = 0.0
    inset_mm: float = 0.0
    power: float = 2.4

    def distance_mm(self, x: Array, y: Array, z: Array) -> Array:
        """See `Shape`."""
        a, b, p = np.float32(self.half_width_mm), np.float32(self.half_depth_mm), np.float32(self.power)
        level = (np.abs(x / a) ** p + np.abs(y / b) ** p) ** (1 / p)
        angle = np.arctan2(y, x)
        size = 1 + np.float32(self.taper_per_mm) * z
        for order, amplitude, phase in self.waves:
            size = size + np.float32(amplitude) * np.cos(np.float32(order) * angle + np.float32(phase))
        reach = np.sqrt(x * x + y * y)
        return np.asarray(reach * (1 - size / (level + TINY)) + np.float32(self.inset_mm), dtype=np.float32)

    def bounds_mm(self) -> None:
        """See `Shape`."""
        return


@dataclass(frozen=True)
class Common:
    """What two bodies have in common, as an organ and the wall that holds it."""

    one: Solid
    other: Solid

    def distance_mm(self, x: Array, y: Array, z: Array) -> Array:
        """See `Shape`."""
        return np.maximum(self.one.distance_mm(x, y, z), self.other.distance_mm(x, y, z))

    def bounds_mm(self) -> tuple[Point, float] | None:
        """See `Shape`."""
        return self.one.bounds_mm()


@dataclass(frozen=True)
class Folded:
    """A body with a wavy surface, as the cortex: waves of `strength_mm`, each given by wave vector and phase."""

    body: Solid
    waves: tuple[tuple[Point, float], ...]
    strength_mm: float

    def distance_mm(self, x: Array, y: Array, z: Array) -> Array:
        """See `Shape`."""
        wave: Array = np.zeros((), dtype=np.float32)
        for (a, b, c), phase in self.waves:
            wave = wave + np.cos(np.float32(a) * x + np.float32(b) * y + np.float32(c) * z + np.float32(phase))
        strength = np.float32(self.strength_mm / max(len(self.waves), 1) ** 0.5)
        return np.asarray(self.body.distance_mm(x, y, z) + strength * wave, dtype=np.float32)

    def bounds_mm(self) -> tuple[Point, float] | None:
        """See `Shape`."""
        bounds = self.body.bounds_mm()
        return None if bounds is None else (bounds[0], bounds[1] + 3 * self.strength_mm)


@dataclass(frozen=True)
class Ribs:
    """Ribs: bars along a trunk's surface, one every `pitch_mm`, falling towards the front."""

    trunk: Trunk
    pitch_mm: float
    fall: float
    lowest_mm: float
    half_thickness_mm: float = 4.0
    half_height_mm: float = 6.5

    def distance_mm(self, x: Array, y: Array, z: Array) -> Array:
        """See `Shape`."""
        depth = self.trunk.distance_mm(x, y, z) / np.float32(self.half_thickness_mm)
        height = z - np.float32(self.fall) * y
        pitch = np.float32(self.pitch_mm)
        offset = (np.mod(height, pitch) - pitch / 2) / np.float32(self.half_height_mm)
        bars = (np.sqrt(depth * depth + offset * offset) - 1) * np.float32(self.half_thickness_mm)
        return np.asarray(np.maximum(bars, np.float32(self.lowest_mm) - height), dtype=np.float32)

    def bounds_mm(self) -> None:
        """See `Shape`."""
        return


@dataclass(frozen=True)
class Blob:
    """An irregular star-shaped body: an ellipsoid whose radius is changed by zonal harmonics about random axes.

    Args:
        center: Center, mm.
        semi_axes_mm: Of the ellipsoid that is changed.
        rotation: 3 x 3, columns are the directions of the semi-axes.
        harmonics: (unit axis, Legendre coefficients of degrees 0, 1, 2, ...) pairs; along the unit direction u of the
            unit ball the relative radius is 1 + sum of legendre(u . axis).
    """

    center: Point
    semi_axes_mm: Point
    rotation: Sequence[Sequence[float]]
    harmonics: tuple[tuple[Point, tuple[float, ...]], ...] = ()

    def relative_radius(self, x: Array, y: Array, z: Array) -> Array:
        """Return the radius along unit directions, relative to the ellipsoid's."""
        radius = np.ones(np.broadcast_shapes(x.shape, y.shape, z.shape), dtype=x.dtype)
        for axis, coefficients in self.harmonics:
            cosine = x * axis[0] + y * axis[1] + z * axis[2]
            radius += np.polynomial.legendre.legval(cosine, np.asarray(coefficients)).astype(x.dtype)
        return radius

    def distance_mm(self, x: Array, y: Array, z: Array) -> Array:
        """See `Shape`."""
        turned = np.asarray(self.rotation, dtype=np.float32)
        d = [v - np.float32(c) for v, c in zip((x, y, z), self.center, strict=True)]
        u, v, w = (
            (d[0] * turned[0, i] + d[1] * turned[1, i] + d[2] * turned[2, i]) / np.float32(self.semi_axes_mm[i])
            for i in range(3)
        )
        level = np.sqrt(u * u + v * v + w * w) + TINY
        reach = np.sqrt(d[0] ** 2 + d[1] ** 2 + d[2] ** 2)
        radius = self.relative_radius(u / level, v / level, w / level)
        return np.asarray(reach * (1 - radius / level), dtype=np.float32)

    def surface_mm(self, n_polar: int = 24, n_around: int = 48) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return surface points (n, 3) in mm with the weight (n,) of each, such that volume = sum(weight), in mm3.

        Gauss-Legendre nodes along the pole and even ones around it: exact for the cube of a radius of degree 5.
        """
        nodes, weights = np.polynomial.legendre.leggauss(n_polar)
        around = np.arange(n_around) * (2 * np.pi / n_around)
        sine = np.sqrt(1 - nodes**2)
        units = np.stack(
            [np.outer(sine, np.cos(around)), np.outer(sine, np.sin(around)), np.outer(nodes, np.ones(n_around))]
        ).reshape(3, -1)
        radius = self.relative_radius(units[0], units[1], units[2])
        solid_angle = np.repeat(weights, n_around) * (2 * np.pi / n_around)
        volume = solid_angle * radius.astype(float) ** 3 * float(np.prod(self.semi_axes_mm)) / 3
        local = (units * radius).T * np.asarray(self.semi_axes_mm)
        return local @ np.asarray(self.rotation).T + np.asarray(self.center), volume

    def volume_ml(self) -> float:
        """Return the volume in ml."""
        return float(self.surface_mm()[1].sum()) / 1000.0

    def scaled(self, factor: float) -> "Blob":
        """Return the same body, larger or smaller about its center."""
        a, b, c = self.semi_axes_mm
        return Blob(self.center, (a * factor, b * factor, c * factor), self.rotation, self.harmonics)

    def bounds_mm(self) -> tuple[Point, float]:
        """See `Shape`."""
        reach = np.linalg.norm(self.surface_mm()[0] - np.asarray(self.center), axis=1).max()
        return self.center, float(reach) * 1.05
