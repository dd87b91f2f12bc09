"""The program that MLflow runs, as MLflow runs it: from a registered version."""

import json
import shutil

import mlflow
import nibabel
import numpy as np
import pandas as pd
import pytest

from lesionflow.inference import Segmenter
from lesionflow.io.images.nifti import read_mask
from lesionflow.io.stores.bundles import write_bundle
from lesionflow.io.stores.cases import image_path
from lesionflow.prediction import MLFLOW_PROGRAM
from lesionflow.prediction.served_model import load_model
from lesionflow.prediction.study import predict_study, segment_study
from lesionflow.registry.registered_bundles import register_bundle
from lesionflow.registry.tracking import Tracker
from support.bundles import constant_bundle
from support.case_folders import write_cases
from support.stores import empty_store


@pytest.fixture
def tracker(tmp_path, monkeypatch):
    """An empty store, which MLflow takes for its own."""
    uri = empty_store(tmp_path / "store")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setattr("mlflow.tracking._tracking_service.utils._tracking_uri", None)
    return Tracker(uri, "knees")


def test_what_is_registered_runs_under_mlflow_itself(tracker, tmp_path):
    run_id = tracker.start_run("train")
    write_bundle(tmp_path / "bundle", constant_bundle(9.0, run_id))
    register_bundle(tracker, run_id, tmp_path / "bundle", "knees", program=MLFLOW_PROGRAM, tags={})
    write_cases(tmp_path / "cases", 2)
    study, output = image_path(tmp_path / "cases", "c-000000", 0), tmp_path / "mask.nii.gz"
    other = image_path(tmp_path / "cases", "c-000001", 0)
    model = mlflow.pyfunc.load_model("models:/knees@challenger")
    table = model.predict(pd.DataFrame({"path": [str(study), str(other)], "output": [str(output), ""]}))
    assert table.columns.tolist() == ["path", "target", "volume_ml"]
    assert table["path"].tolist() == [str(study), str(other)]
    # All 5 x 40 x 56 voxels of 3.0 x 0.8 x 0.5 mm.
    assert table["target"].tolist() == ["tumor", "tumor"]
    assert table["volume_ml"].tolist() == pytest.approx([13.44, 13.44])
    assert np.all(read_mask(output, name="c").labels == 1)


def test_mlflow_answers_as_predict_does_bit_for_bit(tracker, bundle_folder, study, tmp_path):
    """A model that finds nonsense everywhere, and a zipped DICOM study: no voxel is answered alike by chance."""
    register_bundle(tracker, tracker.start_run("train"), bundle_folder, "phantoms", program=MLFLOW_PROGRAM, tags={})
    zipped = shutil.make_archive(str(tmp_path / "study"), "zip", study)
    theirs, ours = tmp_path / "theirs" / "mask.nii.gz", tmp_path / "ours" / "mask.nii.gz"
    table = mlflow.pyfunc.load_model("models:/phantoms/1").predict(
        pd.DataFrame({"path": [zipped], "output": [str(theirs)]})
    )
    model = load_model("1", "phantoms", tracker.tracking_uri)
    segmenter = Segmenter(model.bundle, device="auto")
    predict_study(model, segmenter, study, ours, output_format="nifti")
    one, other = (nibabel.load(path) for path in (theirs, ours))
    assert np.asarray(one.dataobj).tobytes() == np.asarray(other.dataobj).tobytes()
    assert one.header.binaryblock == other.header.binaryblock
    told, expected = (json.loads(image.header.extensions[0].get_content().rstrip(b"\0")) for image in (one, other))
    # MLflow runs the bundle without telling it what it is called.
    called = {"model_version", "seal"}
    assert {name for name in expected if told[name] != expected[name]} == called
    volumes_ml = segment_study(model, segmenter, study).segmentation.volumes_ml
    assert table.to_dict("list") == {
        "path": [zipped],
        "target": list(volumes_ml),
        "volume_ml": list(volumes_ml.values()),
    }
    assert 0.05 < (read_mask(ours, name="s").labels == 1).mean() < 0.95
