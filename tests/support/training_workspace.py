"""Preprocessed cases, a split and a plan on disk, as the steps before `train` leave them."""

import json

import numpy as np
import pandas as pd

from lesionflow.config import load_params
from lesionflow.data.dataset import Dataset
from lesionflow.data.geometry import Geometry
from lesionflow.data.plan import ArchitecturePlan, ChannelPlan, InferencePlan, Plan
from lesionflow.data.split import Fold, Split
from lesionflow.data.volume import Mask, Volume
from lesionflow.io.images.nifti import write_mask, write_volume
from lesionflow.io.stores.cases import image_path, mask_path, write_dataset, write_table
from lesionflow.io.stores.preprocessed import IndexEntry, case_file, write_case, write_index
from support.training_cases import blob_case

TRAIN, VALIDATION = ("c-0", "c-1"), ("c-2", "c-3")
ONE_FOLD = (Fold(train=TRAIN, validation=VALIDATION),)
#: Of unequal size, so that a mean over cases is not one over folds.
TWO_FOLDS = (
    Fold(train=("c-0", "c-1", "c-2"), validation=("c-3",)),
    Fold(train=("c-3", "c-0"), validation=("c-1", "c-2")),
)


def make_plan(dimensions=2, patch_size=(3, 40, 48)):
    return Plan(
        dataset=Dataset(name="blobs", channels={"CT": "ct"}, labels={"tumor": 1}, regions={}),
        dimensions=dimensions,
        spacing_mm=(None, 1.0, 0.8),
        patch_size=patch_size,
        batch_size=4,
        context_slices=patch_size[0] if dimensions == 2 else 1,
        channels=(ChannelPlan(name="CT", kind="ct", lower=-100, upper=200, mean=20, std=50),),
        denoising="none",
        bias_field_correction=False,
        architecture=ArchitecturePlan(
            name="unet",
            options={"base_channels": 4, "depth": 3 if dimensions == 2 else 2, "normalization": "instance",
                     "activation": "leaky_relu", "residual": False, "dropout_fraction": 0.1},
        ),
        inference=InferencePlan(
            overlap_fraction=0.25, flip_axes=(), probability_threshold=0.5, min_lesion_ml=0.0, fill_holes=False
        ),
        decisions=(),
    )  # fmt: skip


def make_inputs(folder, plan=None, folds=ONE_FOLD, make_case=blob_case, n_cases=4):
    """Write cases of noisy ellipsoids, or as `make_case` makes them; return the inputs of `train`."""
    names = {"cases": "cases", "preprocessed": "preprocessed", "splits": "splits.json", "plan": "plan.json"}
    paths = {key: folder / name for key, name in names.items()}
    paths["preprocessed"].mkdir(parents=True)
    plan = plan or make_plan()
    write_dataset(paths["cases"], plan.dataset, n_cases)
    index = {}
    for i in range(n_cases):
        case = make_case(i)
        foreground = {k: v.astype(np.int32) for k, v in case.foreground.items()}
        sha256 = write_case(case_file(paths["preprocessed"], f"c-{i}"), case.image, case.mask, foreground)
        index[f"c-{i}"] = IndexEntry(key=f"key-{i}", sha256=sha256)
        _write_study(paths["cases"], case, plan)
    write_index(paths["preprocessed"], index)
    write_table(
        paths["cases"], pd.DataFrame({"case_id": list(index), "patient_id": [f"p-{i}" for i in range(n_cases)]})
    )
    split = Split(
        seed=0, fold=0, folds=folds, test=("c-99",), test_patients=("p-99",),
        other_patients=("p-0", "p-1", "p-2", "p-3"),
    )  # fmt: skip
    paths["splits"].write_text(split.model_dump_json())
    paths["plan"].write_text(plan.model_dump_json())
    return paths


def _write_study(folder, case, plan):
    """Write a case as it was before the plan's normalization, on the same grid."""
    geometry = Geometry.from_parts(case.mask.shape, (3.0, 1.0, 0.8))
    for number, channel in enumerate(plan.channels):
        volume = Volume(case.image * channel.std + channel.mean, geometry)
        write_volume(image_path(folder, case.case_id, number), volume)
    write_mask(mask_path(folder, case.case_id), Mask(case.mask, geometry))


def train_params(repo, **changes):
    """The demonstration's params of `train`, shortened."""
    params = json.loads(json.dumps(load_params(repo / "params.yaml")["train"]))
    return {**params, "max_epochs": 3, "max_minutes": 5.0, "batches_per_epoch": 8, "learning_rate": 5e-3,
            "max_validation_slices_per_case": 6, **changes}  # fmt: skip
