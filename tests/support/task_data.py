"""Small data of the kind that a preset is made for, in nnU-Net's raw layout: nested ellipsoids of its labels."""

import json

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from lesionflow.config import load_params
from lesionflow.models import ARCHITECTURES

#: (slice, row, column) voxels and mm by kind of channel.
GRIDS = {
    "picture": ((1, 48, 56), (1.0, 1.0, 1.0)),
    "ct": ((6, 56, 64), (3.0, 1.0, 1.0)),
    "mr": ((20, 36, 44), (1.2, 1.0, 1.0)),
}
BODY = {"picture": 60.0, "ct": 40.0, "pet": 1.0, "mr": 300.0}
AIR = {"picture": 5.0, "ct": -1000.0, "pet": 0.0, "mr": 0.0}
STEP = {"picture": 60.0, "ct": 60.0, "pet": 4.0, "mr": 120.0}
#: Cells of the random pattern that tells one body from another: without it all cases are near-duplicates.
PATTERN = (3, 4, 5)


def write_task(folder, ingest, n_cases=10, seed=0):
    """Write cases that a preset's `ingest` section can read: each label lies inside of the one before it."""
    rng = np.random.default_rng(seed)
    channels = {name: rule["kind"] for name, rule in ingest["channels"].items()}
    shape, spacing = GRIDS[next(iter(channels.values()))]
    for number in range(n_cases):
        labels = _nested(shape, list(ingest["labels"].values()), rng)
        body = _ellipsoid(shape, [(n - 1) / 2 for n in shape], [rng.uniform(0.4, 0.48) * n + 0.5 for n in shape])
        pattern = _pattern(shape, rng)
        for k, kind in enumerate(channels.values()):
            rank = np.searchsorted(sorted(ingest["labels"].values()), labels, side="left") + (labels > 0)
            image = np.where(body, BODY[kind] + STEP[kind] * (rank + pattern), AIR[kind])
            image = image + body * rng.normal(0, STEP[kind] / 8, shape)
            _write(folder / "imagesTr" / f"case{number:02d}_{k:04d}.nii.gz", image.astype(np.float32), spacing)
        _write(folder / "labelsTr" / f"case{number:02d}.nii.gz", labels, spacing)
    declared = {
        "channel_names": {str(k): name for k, name in enumerate(channels)},
        "labels": {"background": 0, **ingest["labels"]},
        "numTraining": n_cases,
        "file_ending": ".nii.gz",
    }
    (folder / "dataset.json").write_text(json.dumps(declared))


def _nested(shape, values, rng):
    labels = np.zeros(shape, np.uint8)
    center = [rng.uniform(0.4, 0.6) * n for n in shape]
    for depth, value in enumerate(values):
        labels[_ellipsoid(shape, center, [max(0.3 * n * 0.75**depth, 0.6) for n in shape])] = value
    return labels


def _pattern(shape, rng):
    cells = rng.uniform(-3.0, 3.0, [min(n, size) for n, size in zip(PATTERN, shape, strict=True)])
    return ndimage.zoom(cells, [n / size for n, size in zip(shape, cells.shape, strict=True)], order=1)


def _ellipsoid(shape, center, radii):
    grids = np.meshgrid(*map(np.arange, shape), indexing="ij")
    return sum(((g - c) / r) ** 2 for g, c, r in zip(grids, center, radii, strict=True)) < 1


def _write(path, array, spacing):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing[::-1])
    sitk.WriteImage(image, str(path))


def shrunk(path):
    """A preset's params with a network and a training of seconds; all else is the preset's."""
    params = load_params(path)
    plan, name = params["plan"], params["plan"]["architecture"]["name"]
    known = plan["architecture"]["options"]
    plan["architecture"]["options"] = {
        key: ARCHITECTURES[name].small_options.get(key, value) for key, value in known.items()
    }
    if name == "residual_encoder_unet":
        plan["architecture"]["options"] |= {"n_blocks": [1, 1, 1]}
    plan["patch_size"] = [16, 24, 32] if plan["dimensions"] == 3 else [plan["context_slices"], 32, 48]
    plan["batch_size"] = 2
    params["train"] |= {"max_epochs": 1, "batches_per_epoch": 2, "max_validation_slices_per_case": 2}
    return params
