"""Phantoms as NIfTI in nnU-Net's raw layout, and as PNG slices with masks."""

import json
from pathlib import Path
from typing import Literal

import numpy as np
import SimpleITK
from numpy.typing import NDArray

from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Volume
from lesionflow.phantoms.study import PhantomStudy
from lesionflow.phantoms.truth import replace_text, to_simpleitk, write_image

Outlines = Literal["rtstruct", "seg", "both"]
#: HU that become black and white in a PNG.
PICTURE_WINDOW_HU = (-160.0, 240.0)


def write_nifti(out: Path, study: PhantomStudy, outlines: Outlines) -> tuple[str, str]:
    """Write a study into nnU-Net's raw layout: all channels on the grid of the first.

    Args:
        out: The set's folder.
        study: The study.
        outlines: Not used: labels are a mask.

    Returns:
        Where the study lies, relative to `out`, and how it is outlined.
    """
    del outlines
    folder, name = out / "nifti", study.patient.patient_id
    reference = study.truth.geometry
    for k, (channel, volume) in enumerate(study.channels.items()):
        array = volume.array[0] if volume.geometry is reference else _resample(volume, reference)
        stored = np.round(array, 3) if channel == "PET" else np.rint(array).astype(np.int16)
        write_image(folder / "imagesTr" / f"{name}_{k:04d}.nii.gz", stored, reference)
    write_image(folder / "labelsTr" / f"{name}.nii.gz", study.truth.labels, reference)
    n_cases = len(list((folder / "labelsTr").glob("PHANTOM-*.nii.gz")))
    content = {
        "channel_names": {str(k): channel for k, channel in enumerate(study.channels)},
        "labels": {"background": 0, **study.labels},
        "numTraining": n_cases,
        "file_ending": ".nii.gz",
    }
    replace_text(folder / "dataset.json", json.dumps(content, indent=2) + "\n")
    return f"nifti/imagesTr/{name}_0000.nii.gz", "masks"


def write_png(out: Path, study: PhantomStudy, outlines: Outlines) -> tuple[str, str]:
    """Write every slice of the reference channel as a gray picture, and its labels as another.

    Args:
        out: The set's folder.
        study: The study.
        outlines: Not used: labels are pictures. One label is 0 and 255; several keep their numbers.

    Returns:
        Where the study lies, relative to `out`, and how it is outlined.
    """
    del outlines
    folder, name = out / "png", study.patient.patient_id
    channel, volume = next(iter(study.channels.items()))
    low, high = PICTURE_WINDOW_HU if channel == "CT" else (0.0, float(np.percentile(volume.array, 99.5)))
    gray = np.rint(np.clip((volume.array[0] - low) / (high - low), 0, 1) * 255).astype(np.uint8)
    labels = study.truth.labels * np.uint8(255 if len(study.labels) == 1 else 1)
    for k in range(len(gray)):
        _write_picture(folder / "images" / f"{name}_{k:03d}.png", gray[k])
        _write_picture(folder / "masks" / f"{name}_{k:03d}.png", labels[k])
    return f"png/images/{name}_000.png", "masks"


def _resample(volume: Volume, reference: Geometry) -> NDArray[np.float32]:
    moving = to_simpleitk(volume.array[0], volume.geometry)
    fixed = to_simpleitk(np.zeros(reference.shape, dtype=np.uint8), reference)
    moved = SimpleITK.Resample(moving, fixed, SimpleITK.Transform(), SimpleITK.sitkLinear, 0.0)
    return np.asarray(SimpleITK.GetArrayFromImage(moved), dtype=np.float32)


def _write_picture(path: Path, pixels: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(np.ascontiguousarray(pixels)), str(path))
