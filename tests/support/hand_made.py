"""A prediction that no network made: a written series, a mask by hand of targets that overlap, the bundle of any weights."""

import dataclasses
from pathlib import Path

import numpy as np

from lesionflow.data.bundle import Bundle
from lesionflow.data.dataset import Dataset, Target
from lesionflow.data.volume import Mask
from lesionflow.inference import Segmentation, TargetFinding
from lesionflow.inference.findings import describe
from lesionflow.inference.lesion_probabilities import measure_probabilities
from lesionflow.io.inputs import read_input
from lesionflow.prediction.served_model import ServedModel
from lesionflow.prediction.study import Prediction
from lesionflow.preprocessing import align_channels
from support.bundles import small_bundle
from support.dicom_factory import write_series

SHAPE = (5, 16, 24)
LABELS = {"core": 1, "rim": 2}
REGIONS = {"whole": (1, 2), "core": (1,)}


def findings_of(mask: Mask, targets: tuple[Target, ...]) -> tuple[TargetFinding, ...]:
    """What a network that is sure by 0.9 of each voxel would find of a mask."""
    probabilities = np.full((len(targets), *mask.labels.shape), 0.9, np.float32)
    evidence = measure_probabilities(
        mask.labels,
        mask.geometry,
        lambda first, last: iter([(slice(first, last), probabilities[:, first:last])]),
        targets,
        1.0,
        np.zeros((len(targets), 3)),
    )
    return describe(evidence, ())


def hand_made_prediction(folder: Path, bundle: Bundle | None = None, version: str = "7") -> Prediction:
    """A prediction of two targets: oblique slices of 16 x 24 pixels, a ring with a core and a hole, and a dot."""
    series = write_series(folder, shape=SHAPE)
    labels = np.zeros(SHAPE, np.uint8)
    labels[2, 3:12, 4:15] = LABELS["rim"]
    labels[2, 5:9, 6:12] = LABELS["core"]
    labels[2, 6:8, 8:10] = 0
    labels[4, 13, 20] = LABELS["core"]
    made = bundle or small_bundle()
    dataset = Dataset(name="knees", channels={"CT": "ct"}, labels=LABELS, regions=REGIONS)
    made = dataclasses.replace(made, plan=made.plan.model_copy(update={"dataset": dataset}))
    study = read_input(series.folder, dataset)
    volume = align_channels(study.volumes, ("CT",), "CT", case_id=study.case_id)
    mask = Mask(labels, volume.geometry)
    segmentation = Segmentation(mask, None, 1.0, findings_of(mask, made.plan.targets), None)
    return Prediction(ServedModel("knees", version, made), study, volume, segmentation)
