"""A patient's study as values: images, tumors, truth. Writing it to files is for the other modules."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask, Volume
from lesionflow.phantoms.anatomy import head
from lesionflow.phantoms.anatomy.scene import Scene, TissueBody, inside
from lesionflow.phantoms.anatomy.shapes import Blob, Solid
from lesionflow.phantoms.anatomy.torso import Torso, draw_palette, draw_torso
from lesionflow.phantoms.anatomy.tumors import GAP_MM, Tumor, draw_tumor
from lesionflow.phantoms.patient import Modality, Patient, draw_patient
from lesionflow.phantoms.randomness import stream
from lesionflow.phantoms.scanning import scan_ct, scan_mr, scan_pet

#: Part of the patients with a tumor who have two.
TWO_TUMORS_FRACTION = 0.45
#: How often tumors grow in an organ, when they fit.
ORGAN_WEIGHTS = {"liver": 0.28, "lung": 0.34, "muscle": 0.18, "retroperitoneum": 0.2}


@dataclass(frozen=True, eq=False)
class Structure:
    """Something outlined.

    Args:
        name: Name of the ROI or segment.
        label: Label in the truth, 0 for what is no target.
        shape: Its surface in the patient's own frame; None for what was looked for and is not there.
        holes: Bodies inside of it that belong to something else.
    """

    name: str
    label: int
    shape: Solid | None
    holes: tuple[Solid, ...] = ()


@dataclass(frozen=True, eq=False)
class PhantomStudy:
    """One study.

    Args:
        patient: Who.
        channels: Images by channel name, reference channel first.
        truth: Labels on the reference channel's grid: voxel centers inside the analytic bodies.
        scene: The patient with the tumors.
        tumors: The tumors.
        structures: What is outlined.
        labels: Label names.
        label_ml: Exact volume of each label, ml.
    """

    patient: Patient
    channels: Mapping[str, Volume]
    truth: Mask
    scene: Scene
    tumors: tuple[Tumor, ...]
    structures: tuple[Structure, ...]
    labels: Mapping[str, int]
    label_ml: Mapping[str, float]


def make_study(seed: int, index: int, modality: Modality) -> PhantomStudy:
    """Make the study of one patient.

    Args:
        seed: Of the whole set.
        index: Number of the patient, from 0.
        modality: `ct`, `petct` (CT and PET) or `mr4` (T1, T1c, T2, FLAIR).

    Returns:
        The study; the same arguments give the same voxels.
    """
    patient = draw_patient(seed, index, modality)
    return _head_study(patient) if modality == "mr4" else _torso_study(patient, modality)


def _head_study(patient: Patient) -> PhantomStudy:
    seed, index, geometry = patient.seed, patient.index, patient.geometry
    parts = head.draw_head(stream(seed, index, "head"))
    bodies: tuple[Blob, ...] = () if patient.healthy else head.draw_glioma(stream(seed, index, "glioma"))
    palette = head.draw_head_palette(stream(seed, index, "palette"))
    scene = Scene((*parts, *head.glioma_parts(bodies)), palette, patient.pose)
    channels = {
        name: Volume(scan_mr(scene, name, geometry, stream(seed, index, name))[None], geometry)
        for name in head.SEQUENCES
    }
    names = ("ED", "ET", "NCR")
    structures = tuple(
        Structure(name, head.LABELS[name], body, bodies[k + 1 : k + 2])
        for k, (name, body) in enumerate(zip(names, bodies or (None, None, None), strict=True))
    )
    truth = np.zeros(geometry.shape, dtype=np.uint8)
    for name, body in zip(names, bodies, strict=False):
        truth[inside(scene, body, geometry)] = head.LABELS[name]
    outer = [b.volume_ml() for b in bodies] or [0.0, 0.0, 0.0]
    volumes = dict(zip(names, (outer[0] - outer[1], outer[1] - outer[2], outer[2]), strict=True))
    return PhantomStudy(patient, channels, Mask(truth, geometry), scene, (), structures, head.LABELS, volumes)


def _torso_study(patient: Patient, modality: Modality) -> PhantomStudy:
    torso = draw_torso(stream(patient.seed, patient.index, "torso"))
    palette = draw_palette(stream(patient.seed, patient.index, "palette"))
    healthy = Scene(torso.parts, palette, patient.pose)
    tumors = () if patient.healthy else _grow(patient, torso, healthy)
    scene = add_tumors(healthy, tumors)
    geometry = patient.geometry
    hu = scan_ct(scene, geometry, torso.skin, stream(patient.seed, patient.index, "CT"))
    channels = {"CT": Volume(hu[None], geometry)}
    if modality == "petct":
        grid = _pet_grid(geometry)
        suv = scan_pet(scene, grid, stream(patient.seed, patient.index, "PET"))
        channels["PET"] = Volume(suv[None], grid)
    truth = np.zeros(geometry.shape, dtype=np.uint8)
    for tumor in tumors:
        truth[inside(scene, tumor.body, geometry)] = 1
    structures = (
        Structure("BODY", 0, torso.skin),
        Structure("Lung_L", 0, torso.lung_left, tuple(t.body for t in tumors)),
        *(Structure(f"GTV_Mass {k}", 1, t.body) for k, t in enumerate(tumors, 1)),
        *(() if tumors else (Structure("GTV_Mass", 1, None),)),
    )
    volumes = {"tumor": sum(t.body.volume_ml() for t in tumors)}
    return PhantomStudy(patient, channels, Mask(truth, geometry), scene, tumors, structures, {"tumor": 1}, volumes)


def add_tumors(scene: Scene, tumors: tuple[Tumor, ...]) -> Scene:
    """Return a scene with tumors painted on top."""
    parts, palette = list(scene.parts), dict(scene.palette)
    for k, tumor in enumerate(tumors):
        palette[f"tumor {k}"] = {"CT": tumor.hu, "fine": 8.0, "coarse": 17.0, "PET": tumor.suv}
        palette[f"core {k}"] = {"CT": tumor.core_hu, "fine": 8.0, "coarse": 17.0, "PET": 0.4 * tumor.suv}
        parts.append(TissueBody(tumor.body, f"tumor {k}", tumor.edge_mm))
        parts.append(TissueBody(tumor.body.scaled(tumor.core_fraction), f"core {k}", 3 * tumor.edge_mm))
    return Scene(tuple(parts), palette, scene.pose)


def _grow(patient: Patient, torso: Torso, healthy: Scene) -> tuple[Tumor, ...]:
    rng = stream(patient.seed, patient.index, "tumors")
    wanted = 2 if rng.random() < TWO_TUMORS_FRACTION else 1
    tumors: list[Tumor] = []
    for _ in range(40):
        if len(tumors) == wanted:
            break
        organ = str(rng.choice(list(ORGAN_WEIGHTS), p=list(ORGAN_WEIGHTS.values())))
        sites = [site for site in torso.sites if site.organ == organ]
        site = sites[int(rng.integers(0, len(sites)))]
        keep_out = (*torso.keep_out, *((t.body, GAP_MM) for t in tumors))
        tumor = draw_tumor(rng, site, healthy, patient.geometry, keep_out)
        if tumor is not None:
            tumors.append(tumor)
    return tuple(tumors)


def _pet_grid(ct: Geometry) -> Geometry:
    """Return a PET grid: straight, coarser, over a bit more than the CT's."""
    corners = ct.corners_mm()
    low, high = corners.min(axis=0), corners.max(axis=0)
    spacing = (4.0, 4.6, 4.6)
    extent = (high - low)[::-1]
    shape = tuple(int(np.ceil(e / s)) + 3 for e, s in zip(extent, spacing, strict=True))
    origin = np.round(low - 1.3 * np.asarray(spacing[::-1]), 2)
    return Geometry.from_parts((shape[0], shape[1], shape[2]), spacing, origin)


def structure_mask(study: PhantomStudy, structure: Structure) -> NDArray[np.bool_]:
    """Return the voxel centers inside a structure and outside of its holes, (slice, row, column)."""
    if structure.shape is None:
        return np.zeros(study.truth.geometry.shape, dtype=bool)
    mask = inside(study.scene, structure.shape, study.truth.geometry)
    for hole in structure.holes:
        mask &= ~inside(study.scene, hole, study.truth.geometry)
    return mask
