"""One untrained model, one phantom study, and that study as other libraries see it."""

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from lesionflow.inference import Segmenter
from lesionflow.phantoms import write_phantoms
from lesionflow.prediction.served_model import load_model
from support.served_models import write_untrained_bundle


@pytest.fixture(scope="session")
def bundle_folder(tmp_path_factory):
    return write_untrained_bundle(tmp_path_factory.mktemp("model") / "bundle", {"CT": "ct"})


@pytest.fixture(scope="session")
def model(bundle_folder):
    return load_model(str(bundle_folder), None, "sqlite:///unused.db")


@pytest.fixture(scope="session")
def segmenter(model):
    return Segmenter(model.bundle, device="cpu")


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    root = tmp_path_factory.mktemp("phantoms")
    return root / write_phantoms(root, n_cases=1, seed=4, modality="ct")[0].study


@pytest.fixture(scope="session")
def series(study):
    """The CT as SimpleITK reads it."""
    files = [p for p in study.rglob("*") if p.is_file()]
    slices = [p for p in files if pydicom.dcmread(p, specific_tags=["Modality"]).Modality == "CT"]
    normal = np.cross(*np.reshape(pydicom.dcmread(slices[0]).ImageOrientationPatient, (2, 3)).astype(float))
    slices.sort(key=lambda p: float(np.dot(normal, pydicom.dcmread(p).ImagePositionPatient)))
    return sitk.ReadImage([str(p) for p in slices])
