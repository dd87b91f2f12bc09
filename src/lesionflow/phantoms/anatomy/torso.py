"""A torso from the heart to the kidneys: bodies, tissues and the sites where tumors grow.

The origin is the middle of the body at the height of the diaphragm. All organs vary from patient to patient.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lesionflow.phantoms.anatomy.scene import TissueBody
from lesionflow.phantoms.anatomy.shapes import Common, Ellipsoid, Point, Ribs, Slab, Solid, Trunk, Tube
from lesionflow.phantoms.anatomy.tumors import MAX_VOLUME_ML, MIN_VOLUME_ML, Site

#: Tumors take up less contrast agent than what surrounds them, more than fat and lung; water is within their range, and
#: so are nodes, cysts and every border between something darker and something brighter.
TUMOR_HU = (0.0, 26.0)
#: HU, strength of fine and of coarse texture in HU, and SUV of each tissue.
TISSUES = {
    "background": (-1000.0, 0.0, 0.0, 0.0),
    "table": (-620.0, 20.0, 0.0, 0.0),
    "table_shell": (90.0, 10.0, 0.0, 0.0),
    "skin": (10.0, 6.0, 0.0, 0.5),
    "fat": (-104.0, 7.0, 4.0, 0.3),
    "muscle": (64.0, 8.0, 2.0, 0.7),
    "lung": (-830.0, 30.0, 25.0, 0.5),
    "vessel": (150.0, 4.0, 0.0, 1.6),
    "lung_vessel": (64.0, 8.0, 0.0, 1.2),
    "heart": (66.0, 6.0, 2.0, 3.5),
    "myocardium": (88.0, 7.0, 2.0, 5.0),
    "liver": (110.0, 7.0, 2.0, 2.3),
    "spleen": (120.0, 6.0, 2.0, 1.9),
    "kidney": (172.0, 8.0, 2.0, 3.5),
    "pelvis": (15.0, 5.0, 0.0, 16.0),
    "stomach_wall": (96.0, 8.0, 0.0, 2.0),
    "food": (68.0, 6.0, 6.0, 0.5),
    "fluid": (14.0, 4.0, 2.0, 0.4),
    "gas": (-940.0, 8.0, 0.0, 0.2),
    "bowel": (68.0, 8.0, 3.0, 2.2),
    "node": (34.0, 7.0, 0.0, 1.8),
    "cortical": (640.0, 60.0, 0.0, 0.8),
    "marrow": (210.0, 40.0, 20.0, 1.4),
    "disc": (92.0, 8.0, 0.0, 0.8),
    "canal": (22.0, 5.0, 0.0, 0.9),
}


@dataclass(frozen=True)
class Torso:
    """The bodies of a torso, bottom to top, with what outlines and tumors need of them."""

    parts: tuple[TissueBody, ...]
    skin: Trunk
    lung_left: Solid
    sites: tuple[Site, ...]
    keep_out: tuple[tuple[Solid, float], ...]


def draw_palette(rng: np.random.Generator) -> dict[str, dict[str, float]]:
    """Draw the figures of the tissues of one patient, with more or less contrast agent."""
    agent = float(rng.uniform(0.6, 1.15))
    palette = {}
    for tissue, (hu, fine, coarse, suv) in TISSUES.items():
        given = {"vessel": 45.0, "liver": 58.0, "spleen": 52.0, "kidney": 36.0, "myocardium": 50.0}.get(tissue, hu)
        value = given + agent * (hu - given) + float(rng.normal(0, 0.015 * abs(hu) if hu > -900 else 0.0))
        uptake = suv * float(np.exp(rng.normal(0, 0.15)))
        palette[tissue] = {"CT": value, "fine": fine, "coarse": coarse, "PET": uptake}
    return palette


def draw_torso(rng: np.random.Generator) -> Torso:
    """Draw the torso of one patient."""
    size = float(rng.uniform(0.9, 1.06))
    depth = size * float(rng.uniform(0.94, 1.06))
    waves = ((2, float(rng.normal(0, 0.012)), float(rng.uniform(0, 6))), (3, 0.012, float(rng.uniform(0, 6))))
    fat = float(rng.uniform(9, 24))

    def trunk(inset: float) -> Trunk:
        return Trunk(160 * size, 108 * depth, waves, float(0.0001 * size), inset)

    place = _Places(rng, size, depth)
    lungs = [place.ellipsoid((side * 74, 0, 82), (64, 84, 112), 0.05) for side in (-1, 1)]
    liver = [place.ellipsoid((-66, -6, -34), (74, 76, 66)), place.ellipsoid((4, -44, -26), (64, 36, 34))]
    heart = place.ellipsoid((24, -28, 50), (54, 46, 48), turn=35)
    kidneys = [place.ellipsoid((side * 60, 42, -88), (25, 27, 50), turn=side * 25) for side in (-1, 1)]
    spine = place.tube((0, 56, -300), (0, 56, 300), 22)
    wall = trunk(fat + 16)
    within = [Common(lung, trunk(fat + 15)) for lung in lungs]
    parts = [
        *_outside(108 * depth),
        TissueBody(trunk(0), "skin", 3.0),
        TissueBody(trunk(2.5), "fat", 2.5),
        TissueBody(trunk(fat), "muscle", 4.0),
        TissueBody(wall, "fat", 4.0),
        *_back_muscles(place),
        *(TissueBody(lung, "lung", 4.0) for lung in within),
        *_mediastinum(place, heart),
        *(TissueBody(Common(shape, trunk(fat + 15)), "liver", 4.0) for shape in liver),
        *_liver_vessels(rng, liver[0]),
        *_upper_left(place, trunk(fat + 15)),
        *_kidneys(kidneys),
        *_bowel(rng, place, trunk(fat + 16)),
        *_distractors(rng, place, liver[0], kidneys),
        *(p for side, lung in zip((-1, 1), lungs, strict=True) for p in _lung_vessels(rng, side, lung)),
        *_spine(place, spine),
        TissueBody(Ribs(trunk(fat + 11), 30 * size, 0.55, -95.0), "cortical", 3.0),
        TissueBody(Ribs(trunk(fat + 11), 30 * size, 0.55, -95.0, 1.8, 4.0), "marrow", 2.0),
    ]
    sites = _sites(place, lungs, liver[0], trunk(fat + 2))
    return Torso(tuple(parts), trunk(0), within[1], sites, ((spine, 0.0), (heart, 0.0)))


class _Places:
    """Puts a body where it belongs in a patient of some size, give or take."""

    def __init__(self, rng: np.random.Generator, size: float, depth: float) -> None:
        self.rng = rng
        self.scale = np.array((size, depth, size))

    def point(self, center: Point, spread_mm: float = 3.0) -> Point:
        x, y, z = np.asarray(center) * self.scale + self.rng.normal(0, spread_mm, 3)
        return float(x), float(y), float(z)

    def ellipsoid(self, center: Point, semi_axes: Point, spread: float = 0.07, turn: float = 0.0) -> Ellipsoid:
        a, b, c = np.asarray(semi_axes) * self.scale * np.exp(self.rng.normal(0, spread, 3))
        return Ellipsoid(self.point(center), (float(a), float(b), float(c)), turn)

    def tube(self, start: Point, end: Point, radius_mm: float, spread_mm: float = 0.0) -> Tube:
        radius = radius_mm * float(self.scale[0] * np.exp(self.rng.normal(0, 0.06)))
        return Tube(self.point(start, spread_mm), self.point(end, spread_mm), radius)


def _outside(back_mm: float) -> Iterator[TissueBody]:
    yield TissueBody(Slab((0, back_mm + 17), (205, 12)), "table_shell", 3.0)
    yield TissueBody(Slab((0, back_mm + 17), (202, 8)), "table", 3.0)


def _back_muscles(place: _Places) -> Iterator[TissueBody]:
    for side in (-1, 1):
        yield TissueBody(place.ellipsoid((side * 40, 76, -20), (36, 20, 420)), "muscle", 4.0)
        yield TissueBody(place.ellipsoid((side * 34, 56, -150), (17, 19, 110)), "muscle", 4.0)


def _mediastinum(place: _Places, heart: Ellipsoid) -> Iterator[TissueBody]:
    yield TissueBody(place.ellipsoid((0, 8, 110), (34, 62, 130)), "fat", 6.0)
    yield TissueBody(heart, "heart", 4.0)
    x, y, z = heart.center
    a, b, c = heart.semi_axes_mm
    yield TissueBody(Ellipsoid(heart.center, (a * 0.93, b * 0.93, c * 0.95), heart.turn_degrees), "myocardium", 3.0)
    yield TissueBody(Ellipsoid((x + 0.25 * a, y - 0.1 * b, z), (a * 0.42, b * 0.5, c * 0.6), 35), "vessel", 5.0)
    yield TissueBody(Ellipsoid((x - 0.45 * a, y - 0.1 * b, z + 5), (a * 0.3, b * 0.5, c * 0.6), 35), "vessel", 5.0)
    yield TissueBody(place.tube((20, 34, -300), (20, 34, 300), 11.5, 2.0), "vessel", 3.0)
    yield TissueBody(place.tube((-24, 26, -300), (-24, 20, 40), 11.0, 2.0), "vessel", 3.0)
    yield TissueBody(place.tube((-4, 30, 10), (-4, 30, 300), 8.0, 2.0), "bowel", 3.0)
    yield TissueBody(place.ellipsoid((0, -90, 120), (26, 9, 120)), "marrow", 5.0)


def _liver_vessels(rng: np.random.Generator, liver: Ellipsoid) -> Iterator[TissueBody]:
    root = np.add(liver.center, (28, 12, 6))
    for _ in range(7):
        direction = rng.standard_normal(3) * (1.0, 0.9, 0.5) + (-0.5, -0.1, 0.0)
        end = root + direction / np.linalg.norm(direction) * rng.uniform(32, 52)
        yield TissueBody(Tube(_point(root), _point(end), float(rng.uniform(2.4, 4.6))), "vessel", 4.0)


def _upper_left(place: _Places, wall: Trunk) -> Iterator[TissueBody]:
    yield TissueBody(Common(place.ellipsoid((104, 34, -26), (30, 42, 46), turn=-15), wall), "spleen", 4.0)
    stomach = place.ellipsoid((64, -36, -30), (40, 36, 40), turn=20)
    yield TissueBody(stomach, "stomach_wall", 4.0)
    x, y, z = stomach.center
    a, b, c = (s - 5.0 for s in stomach.semi_axes_mm)
    yield TissueBody(Ellipsoid(stomach.center, (a, b, c), stomach.turn_degrees), "food", 3.0)
    yield TissueBody(Ellipsoid((x, y - 0.6 * b, z), (a * 0.7, b * 0.35, c * 0.7)), "gas", 3.0)


def _kidneys(kidneys: list[Ellipsoid]) -> Iterator[TissueBody]:
    for kidney in kidneys:
        yield TissueBody(kidney, "kidney", 3.0)
        x, y, z = kidney.center
        a, b, c = kidney.semi_axes_mm
        inwards = x - np.sign(x) * 0.35 * a
        yield TissueBody(Ellipsoid((inwards, y - 3, z), (a * 0.5, b * 0.45, c * 0.6)), "fat", 4.0)
        yield TissueBody(Ellipsoid((inwards, y - 3, z), (a * 0.25, b * 0.22, c * 0.35)), "pelvis", 3.0)


def _bowel(rng: np.random.Generator, place: _Places, wall: Trunk) -> Iterator[TissueBody]:
    for _ in range(30):
        start = place.point((rng.uniform(-95, 95), rng.uniform(-74, 4), rng.uniform(-210, -82)))
        end = np.asarray(start) + rng.normal(0, 1, 3) * (26, 14, 10)
        radius = float(rng.uniform(9, 14))
        yield TissueBody(Common(Tube(start, _point(end), radius), wall), "bowel", 3.0)
        if rng.random() < 0.35:
            yield TissueBody(Common(Tube(start, _point(end), radius * 0.55), wall), "gas", 3.0)


def _distractors(
    rng: np.random.Generator, place: _Places, liver: Ellipsoid, kidneys: list[Ellipsoid]
) -> Iterator[TissueBody]:
    """Cysts and nodes: round, even, sharp, with HU that tumors have too."""
    for _ in range(rng.integers(0, 3)):
        center = np.asarray(liver.center) + rng.uniform(-0.6, 0.6, 3) * liver.semi_axes_mm
        yield TissueBody(Ellipsoid(_point(center), (float(rng.uniform(4, 8)),) * 3), "fluid", 2.0)
    kidney = kidneys[int(rng.integers(0, 2))]
    x, y, z = kidney.center
    radius = float(rng.uniform(6, 10))
    yield TissueBody(Ellipsoid((x + np.sign(x) * 18, y, z + 20), (radius,) * 3), "fluid", 2.0)
    for _ in range(12):
        near = (rng.uniform(-34, 34), rng.uniform(10, 34), rng.uniform(-150, 150))
        a, b, c = rng.uniform(3.5, 6.5, 3)
        yield TissueBody(Ellipsoid(place.point(near), (float(a), float(b), float(c))), "node", 2.5)


def _lung_vessels(rng: np.random.Generator, side: int, lung: Ellipsoid) -> Iterator[TissueBody]:
    hilum = np.array((side * 30.0, 10.0, 48.0))
    heads = [
        (hilum, np.array((side * 0.8, 0.5 * dy, dz)), 30.0, 4.6) for dy, dz in ((0.6, 0.7), (-0.8, 0.2), (0.7, -0.8))
    ]
    while heads:
        start, direction, length, radius = heads.pop()
        end = start + direction / np.linalg.norm(direction) * length
        if radius < 1.4 or float(np.linalg.norm((end - lung.center) / lung.semi_axes_mm)) > 0.95:
            continue
        yield TissueBody(Tube(_point(start), _point(end), float(radius)), "lung_vessel", 3.5)
        for _ in range(2):
            turned = direction / np.linalg.norm(direction) + rng.normal(0, 0.5, 3)
            heads.append(
                (end, turned, length * float(rng.uniform(0.62, 0.85)), radius * float(rng.uniform(0.72, 0.86)))
            )


def _spine(place: _Places, spine: Tube) -> Iterator[TissueBody]:
    x, y, _ = spine.start
    yield TissueBody(spine, "cortical", 3.0)
    yield TissueBody(Tube(spine.start, spine.end, spine.radius_mm - 3.5), "marrow", 3.0)
    pitch = 34 * float(place.scale[2])
    phase = float(place.rng.uniform(0, pitch))
    for k in range(-8, 8):
        z = k * pitch + phase
        yield TissueBody(Ellipsoid((x, y, z), (spine.radius_mm, spine.radius_mm, 4.5), power=4), "disc", 2.5)
        yield TissueBody(Tube((x, y + 32, z + 14), (x, y + 48, z + 6), 4.5), "cortical", 3.0)
        for side in (-1, 1):
            yield TissueBody(
                Tube((x + side * 14, y + 18, z + 16), (x + side * 36, y + 30, z + 14), 5.0), "cortical", 3.0
            )
    yield TissueBody(Tube((x, y + 27, -300), (x, y + 27, 300), 13.0), "marrow", 3.0)
    yield TissueBody(Tube((x, y + 26, -300), (x, y + 26, 300), 8.5), "canal", 3.0)


def _sites(place: _Places, lungs: list[Ellipsoid], liver: Ellipsoid, muscle: Trunk) -> tuple[Site, ...]:
    a, b, c = liver.semi_axes_mm
    in_liver = Ellipsoid(liver.center, (0.6 * a, 0.6 * b, 0.6 * c))
    lung_sites = tuple(
        Site(
            "lung",
            "lung",
            Ellipsoid(s.center, _shrunk(s, 0.7)),
            s,
            0.6,
            (MIN_VOLUME_ML, 150.0),
            TUMOR_HU,
        )
        for s in lungs
    )
    backs = tuple(place.ellipsoid((side * 68, 62, -62), (34, 16, 50)) for side in (-1, 1))
    belly = place.ellipsoid((-6, -24, -100), (80, 34, 45))
    return (
        *lung_sites,
        Site("liver", "liver", in_liver, liver, 0.9, (MIN_VOLUME_ML, MAX_VOLUME_ML), TUMOR_HU),
        *(Site("muscle", "muscle", s, muscle, 1.0, (8.0, MAX_VOLUME_ML), TUMOR_HU) for s in backs),
        Site("retroperitoneum", "fat", belly, muscle, 1.0, (8.0, MAX_VOLUME_ML), TUMOR_HU),
    )


def _shrunk(shape: Ellipsoid, factor: float) -> Point:
    a, b, c = shape.semi_axes_mm
    return a * factor, b * factor, c * factor


def _point(values: object) -> Point:
    x, y, z = np.asarray(values, dtype=float)
    return float(x), float(y), float(z)
