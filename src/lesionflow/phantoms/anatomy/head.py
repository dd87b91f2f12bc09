"""A head for MR: skull, brain, and a glioma with edema, enhancing rim and dead core.

Labels are those of BraTS 2021 with 3 for the enhancing part: 1 necrotic core, 2 edema, 3 enhancing tumor.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from lesionflow.phantoms.anatomy.scene import TissueBody
from lesionflow.phantoms.anatomy.shapes import Blob, Ellipsoid, Folded, Point, Tube
from lesionflow.phantoms.anatomy.tumors import draw_blob

LABELS = {"NCR": 1, "ED": 2, "ET": 3}
SEQUENCES = ("T1", "T1c", "T2", "FLAIR")
#: Signal in T1, T1 with contrast agent, T2 and FLAIR, and strength of texture, of each tissue.
TISSUES = {
    "background": (0.0, 0.0, 0.0, 0.0, 0.0),
    "scalp": (520.0, 540.0, 420.0, 380.0, 25.0),
    "skull": (90.0, 95.0, 80.0, 70.0, 15.0),
    "marrow": (280.0, 300.0, 210.0, 190.0, 25.0),
    "csf": (130.0, 135.0, 800.0, 110.0, 10.0),
    "grey": (330.0, 345.0, 430.0, 400.0, 16.0),
    "white": (440.0, 455.0, 330.0, 330.0, 12.0),
    "sinus": (200.0, 620.0, 150.0, 160.0, 15.0),
    "eye": (120.0, 125.0, 780.0, 140.0, 10.0),
    "edema": (310.0, 320.0, 620.0, 640.0, 22.0),
    "enhancing": (330.0, 680.0, 520.0, 540.0, 35.0),
    "necrosis": (210.0, 225.0, 680.0, 360.0, 25.0),
}


def draw_head_palette(rng: np.random.Generator) -> dict[str, dict[str, float]]:
    """Draw the signals of the tissues of one patient."""
    palette = {}
    for tissue, (*signals, fine) in TISSUES.items():
        drawn = np.asarray(signals) * np.exp(rng.normal(0, 0.04, 4))
        palette[tissue] = {**dict(zip(SEQUENCES, map(float, drawn), strict=True)), "fine": fine}
    return palette


def draw_head(rng: np.random.Generator) -> tuple[TissueBody, ...]:
    """Draw the head of one patient without a tumor, bottom to top."""
    a, b, c = np.array((72.0, 90.0, 84.0)) * rng.uniform(0.94, 1.05) * np.exp(rng.normal(0, 0.02, 3))

    def shell(inset: float) -> Ellipsoid:
        return Ellipsoid((0.0, 0.0, 0.0), (float(a - inset), float(b - inset), float(c - inset)), power=2.15)

    folds = _folds(rng)
    return (
        TissueBody(shell(0), "scalp", 2.0),
        TissueBody(shell(5), "skull", 1.5),
        TissueBody(shell(7), "marrow", 1.5),
        TissueBody(shell(9), "skull", 1.5),
        TissueBody(shell(11), "csf", 1.5),
        TissueBody(Folded(shell(13.5), folds, 3.0), "grey", 2.0),
        TissueBody(Folded(shell(19), folds, 6.0), "white", 2.5),
        TissueBody(Tube((0, -b, 8), (0, -0.25 * b, 14), 1.6), "csf", 2.0),
        *_deep(rng),
        TissueBody(Tube((0, b - 15, -30), (0, b - 15, 60), 3.5), "sinus", 2.0),
    )


def draw_glioma(rng: np.random.Generator) -> tuple[Blob, ...]:
    """Draw edema, enhancing tumor and necrotic core, each inside the one before; without their holes."""
    side = float(rng.choice([-1.0, 1.0]))
    center = (side * float(rng.uniform(20, 36)), float(rng.uniform(-36, 36)), float(rng.uniform(-12, 22)))
    edema = draw_blob(rng, float(np.exp(rng.uniform(np.log(40), np.log(130)))), center, 0.09)
    # One change more of the same surface, too weak to leave the edema: 0.66 x (1 + h + 0.2) < 1 + h from h = -0.6 on.
    axis = rng.standard_normal(3)
    own = (_point(axis / np.linalg.norm(axis)), (0.0, 0.0, *map(float, rng.uniform(-0.05, 0.05, 4))))
    inner = Blob(edema.center, edema.semi_axes_mm, edema.rotation, (*edema.harmonics, own))
    enhancing = inner.scaled(float(rng.uniform(0.55, 0.66)))
    return edema, enhancing, enhancing.scaled(float(rng.uniform(0.6, 0.8)))


def glioma_parts(bodies: tuple[Blob, ...]) -> tuple[TissueBody, ...]:
    """Return the parts of a glioma, to be painted onto a head; none without bodies."""
    edges = (4.0, 2.5, 2.5)
    return tuple(
        TissueBody(b, t, e) for b, t, e in zip(bodies, ("edema", "enhancing", "necrosis"), edges, strict=False)
    )


def _folds(rng: np.random.Generator) -> tuple[tuple[Point, float], ...]:
    """Draw the waves of the cortex: wave vectors of one turn in 15 to 26 mm, all of one strength."""
    waves = []
    for _ in range(6):
        direction = rng.standard_normal(3)
        direction *= 2 * np.pi / rng.uniform(15, 26) / np.linalg.norm(direction)
        waves.append((_point(direction), float(rng.uniform(0, 2 * np.pi))))
    return tuple(waves)


def _deep(rng: np.random.Generator) -> Iterator[TissueBody]:
    wide = float(rng.uniform(0.85, 1.35))
    for side in (-1.0, 1.0):
        yield TissueBody(Ellipsoid((side * 24, 4, 2), (11, 20, 13), side * 12), "grey", 4.0)
        yield TissueBody(Ellipsoid((side * 11 * wide, -12, 14), (5.5 * wide, 26, 9), side * -14), "csf", 2.5)
        yield TissueBody(Ellipsoid((side * 19 * wide, 28, 8), (6 * wide, 15, 9), side * 22), "csf", 2.5)
        yield TissueBody(Ellipsoid((side * 30, -76, -46), (12, 12, 12)), "eye", 2.0)
    yield TissueBody(Ellipsoid((0, 2, 0), (2.5, 14, 9)), "csf", 2.0)
    yield TissueBody(Ellipsoid((0, 40, -46), (44, 26, 22)), "grey", 4.0)
    yield TissueBody(Ellipsoid((0, 40, -46), (34, 18, 14)), "white", 8.0)
    yield TissueBody(Ellipsoid((0, 14, -50), (14, 12, 34)), "white", 4.0)


def _point(values: NDArray[np.float64]) -> Point:
    x, y, z = (float(v) for v in values)
    return x, y, z
