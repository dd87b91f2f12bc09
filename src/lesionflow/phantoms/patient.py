"""A patient drawn from (seed, index): who, when, on which scanner, on which grid."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lesionflow.data.geometry import Geometry
from lesionflow.phantoms.randomness import rotation_matrix, stream

Modality = Literal["ct", "petct", "mr4"]

FAMILY_NAMES = ("Phantom", "Specter", "Wraith", "Mirage", "Shade", "Figment", "Chimera", "Vision")
FEMALE_NAMES = ("Ada", "Grace", "Hedy", "Emmy", "Sofia", "Rosalind", "Marie", "Lise")
MALE_NAMES = ("Alan", "Emil", "Kurt", "Niels", "Otto", "Ugo", "Paul", "Ivan")
HOSPITALS = ("Phantom General Hospital", "St. Figment Clinic", "University Hospital of Nowhere")
PHYSICIANS = ("Referrer^Rita", "Consultant^Carl", "Senior^Sonja")
#: Manufacturer, model, stored type, slope and intercept of its images.
SCANNERS = (
    ("Phantom Scanner A", "Aether 64", "int16", 1.0, 0.0),
    ("Phantom Scanner B", "Borealis 16", "uint16", 1.0, -1024.0),
    ("Phantom Scanner C", "Cirrus Pro", "int16", 1.0, -1024.0),
    ("Phantom Scanner D", "Dawn 32", "uint16", 0.5, -1024.0),
)
#: Part of the patients whose grid is turned, and of those who lie turned.
OBLIQUE_FRACTION = 0.2
TURNED_FRACTION = 0.3
#: One patient of so many has no tumor.
HEALTHY_EVERY = 10


@dataclass(frozen=True)
class Patient:
    """Who is scanned, and how.

    Args:
        index: Number of the patient, from 0.
        seed: Of the whole set.
        patient_id: `PHANTOM-0007`; identifies, and must not leave the hospital.
        name: DICOM person name.
        sex: `F` or `M`.
        birth_date: `YYYYMMDD`.
        weight_kg: Body weight.
        height_m: Body height.
        hospital: Institution name.
        physician: Referring physician.
        study_date: `YYYYMMDD`.
        study_time: `HHMMSS`.
        scanner: A row of `SCANNERS`.
        healthy: Whether there is no tumor.
        geometry: The grid of the reference channel.
        pose: 4 x 4, patient's own frame -> LPS mm.
    """

    index: int
    seed: int
    patient_id: str
    name: str
    sex: str
    birth_date: str
    weight_kg: float
    height_m: float
    hospital: str
    physician: str
    study_date: str
    study_time: str
    scanner: tuple[str, str, str, float, float]
    healthy: bool
    geometry: Geometry
    pose: NDArray[np.float64]


def draw_patient(seed: int, index: int, modality: Modality) -> Patient:
    """Draw one patient; depends on nothing but the arguments.

    Args:
        seed: Of the whole set.
        index: Number of the patient, from 0.
        modality: Decides the grid.
    """
    rng = stream(seed, index, "patient")
    sex = str(rng.choice(["F", "M"]))
    first_name = str(rng.choice(FEMALE_NAMES if sex == "F" else MALE_NAMES))
    height_m = float(np.round(rng.normal(1.65 if sex == "F" else 1.77, 0.07), 2))
    lie = stream(seed, index, "pose")
    return Patient(
        index=index,
        seed=seed,
        patient_id=f"PHANTOM-{index:04d}",
        name=f"{rng.choice(FAMILY_NAMES)}^{first_name}",
        sex=sex,
        birth_date=_date(rng, 1935, 1990),
        weight_kg=float(np.round(height_m**2 * rng.uniform(21, 31), 1)),
        height_m=height_m,
        hospital=str(rng.choice(HOSPITALS)),
        physician=str(rng.choice(PHYSICIANS)),
        study_date=_date(rng, 2019, 2024),
        study_time=f"{rng.integers(7, 18):02d}{rng.integers(0, 60):02d}{rng.integers(0, 60):02d}",
        scanner=SCANNERS[int(rng.integers(0, len(SCANNERS)))],
        healthy=(index + seed) % HEALTHY_EVERY == HEALTHY_EVERY // 2,
        geometry=draw_head_grid(lie) if modality == "mr4" else draw_torso_grid(lie),
        pose=draw_pose(lie),
    )


def draw_torso_grid(rng: np.random.Generator) -> Geometry:
    """Draw a CT grid over heart, liver and kidneys: anisotropic, and oblique in some."""
    thickness = float(rng.choice([3.0, 4.0, 5.0, 5.0, 5.0, 6.0]))
    n_slices = int(np.clip(np.round(rng.uniform(160, 200) / thickness), 28, 44))
    column_mm = float(rng.choice([2.8, 3.0, 3.1, 3.2]))
    row_mm = float(rng.choice([2.7, 2.9])) if rng.random() < 0.3 else column_mm
    shape = (n_slices, int(rng.choice([112, 120])) if row_mm >= 2.8 else 120, 128)
    return _centered_grid(rng, shape, (thickness, row_mm, column_mm), float(rng.uniform(-42, 12)))


def draw_head_grid(rng: np.random.Generator) -> Geometry:
    """Draw an MR grid over a head."""
    row_mm = float(rng.choice([1.8, 2.0]))
    shape = (int(rng.integers(26, 33)), 112, 96)
    return _centered_grid(rng, shape, (5.0, row_mm, 2.0), float(rng.uniform(-4, 4)))


def draw_pose(rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw how the patient lies: straight, or turned by a few degrees; never exactly in the middle."""
    pose = np.eye(4)
    turned = rng.random() < TURNED_FRACTION
    degrees = rng.normal(0, (1.0, 1.0, 4.0)) if turned else np.zeros(3)
    pose[:3, :3] = rotation_matrix((float(degrees[0]), float(degrees[1]), float(degrees[2])))
    pose[:3, 3] = np.round(rng.normal(0, 5, 3), 2)
    return pose


def _centered_grid(
    rng: np.random.Generator, shape: tuple[int, int, int], spacing_mm: tuple[float, float, float], height_mm: float
) -> Geometry:
    degrees = rng.uniform(-10, 10, 3) if rng.random() < OBLIQUE_FRACTION else np.zeros(3)
    axes = np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]], dtype=float)
    direction = np.round(rotation_matrix((float(degrees[0]), float(degrees[1]), float(degrees[2]))) @ axes, 12)
    half = (np.asarray(shape) - 1) / 2 * np.asarray(spacing_mm)
    origin = np.round(np.array((0.0, 6.0, height_mm)) - direction @ half, 3)
    return Geometry.from_parts(shape, spacing_mm, origin, direction)


def _date(rng: np.random.Generator, first_year: int, last_year: int) -> str:
    return f"{rng.integers(first_year, last_year + 1)}{rng.integers(1, 13):02d}{rng.integers(1, 29):02d}"
