"""The analytic truth of a phantom, and the files that keep it."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import SimpleITK
from numpy.typing import NDArray

from lesionflow.data.geometry import Geometry
from lesionflow.phantoms.anatomy.shapes import Blob
from lesionflow.phantoms.study import PhantomStudy

TRUTH = "truth.json"


@dataclass(frozen=True)
class TumorTruth:
    """One tumor: its organ, label name, center in LPS mm, exact volume, HU against what surrounds it, uptake."""

    organ: str
    label: str
    center_lps_mm: tuple[float, float, float]
    volume_ml: float
    contrast_hu: float | None
    suv: float | None


@dataclass(frozen=True)
class PhantomTruth:
    """One patient.

    Args:
        patient_id: As in the DICOM files.
        index: Number of the patient.
        seed: Of the set.
        study: Where its images lie, relative to the set's folder.
        outlines: `rtstruct`, `seg` or `masks`.
        mask: Where its truth mask lies, relative to the set's folder.
        shape: Of the reference channel's grid (slice, row, column).
        spacing_mm: Of the same.
        affine: 4 x 4, array index (slice, row, column) -> LPS mm.
        labels: Label names.
        label_ml: Exact volume of each label.
        tumors: The tumors.
    """

    patient_id: str
    index: int
    seed: int
    study: str
    outlines: str
    mask: str
    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    affine: tuple[tuple[float, ...], ...]
    labels: dict[str, int]
    label_ml: dict[str, float]
    tumors: tuple[TumorTruth, ...]


def describe_truth(study: PhantomStudy, *, place: str, outlines: str) -> PhantomTruth:
    """Return the truth of a study.

    Args:
        study: The study.
        place: Where its images lie, relative to the set's folder.
        outlines: How it is outlined.
    """
    geometry = study.truth.geometry
    return PhantomTruth(
        patient_id=study.patient.patient_id,
        index=study.patient.index,
        seed=study.patient.seed,
        study=place,
        outlines=outlines,
        mask=f"truth/{study.patient.patient_id}.nii.gz",
        shape=geometry.shape,
        spacing_mm=geometry.spacing_mm,
        affine=tuple(tuple(float(v) for v in row) for row in geometry.affine),
        labels=dict(study.labels),
        label_ml=dict(study.label_ml),
        tumors=tuple(_tumors(study)),
    )


def _tumors(study: PhantomStudy) -> list[TumorTruth]:
    pose = study.scene.pose
    found = _glioma(study)
    for tumor in study.tumors:
        x, y, z = (float(v) for v in pose[:3, :3] @ np.asarray(tumor.body.center) + pose[:3, 3])
        contrast = tumor.hu - study.scene.palette[tumor.site.tissue]["CT"]
        suv = tumor.suv if "PET" in study.channels else None
        found.append(TumorTruth(tumor.site.organ, "tumor", (x, y, z), tumor.body.volume_ml(), contrast, suv))
    return found


def _glioma(study: PhantomStudy) -> list[TumorTruth]:
    """Return the labels of a glioma: each as the body without the holes that other labels fill."""
    if study.tumors:
        return []
    pose = study.scene.pose
    bodies = [(s.name, s.shape) for s in study.structures if s.label and isinstance(s.shape, Blob)]
    centers = [(name, pose[:3, :3] @ np.asarray(body.center) + pose[:3, 3]) for name, body in bodies]
    return [
        TumorTruth("brain", name, (float(c[0]), float(c[1]), float(c[2])), study.label_ml[name], None, None)
        for name, c in centers
    ]


def to_simpleitk(array: NDArray[np.generic], geometry: Geometry) -> SimpleITK.Image:
    """Return an array (slice, row, column) as an image of SimpleITK, which is LPS as we are."""
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(array))
    slice_mm, row_mm, column_mm = geometry.spacing_mm
    image.SetSpacing((column_mm, row_mm, slice_mm))
    image.SetOrigin([float(v) for v in geometry.origin_mm])
    image.SetDirection([float(v) for v in geometry.direction[:, ::-1].ravel()])
    return image


def write_image(path: Path, array: NDArray[np.generic], geometry: Geometry) -> None:
    """Write an array (slice, row, column) in the format of the file name; the same array gives the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    SimpleITK.WriteImage(to_simpleitk(array, geometry), str(path), useCompression=True)


def update_table(path: Path, truths: Sequence[PhantomTruth]) -> None:
    """Add patients to `truth.json`, in the order of their ids; a patient of the same id is replaced."""
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    rows = {row["patient_id"]: row for row in known} | {t.patient_id: asdict(t) for t in truths}
    replace_text(path, json.dumps([rows[key] for key in sorted(rows)], indent=1) + "\n")


def replace_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".partial-{path.name}")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
