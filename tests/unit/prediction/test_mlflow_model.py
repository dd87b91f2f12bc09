import mlflow
import numpy as np
import pandas as pd
import pytest

from lesionflow.io.images.nifti import read_mask
from lesionflow.io.stores.bundles import write_bundle
from lesionflow.io.stores.cases import image_path
from lesionflow.prediction import MLFLOW_PROGRAM
from lesionflow.registry.models import register_bundle
from lesionflow.registry.tracking import Tracker
from support.bundles import constant_bundle
from support.case_folders import write_cases
from support.stores import empty_store


def test_what_is_registered_runs_under_mlflow_itself(tmp_path, monkeypatch):
    uri = empty_store(tmp_path / "store")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setattr("mlflow.tracking._tracking_service.utils._tracking_uri", None)
    tracker = Tracker(uri, "knees")
    run_id = tracker.start_run("train")
    write_bundle(tmp_path / "bundle", constant_bundle(9.0, run_id))
    register_bundle(tracker, run_id, tmp_path / "bundle", "knees", program=MLFLOW_PROGRAM, tags={})
    write_cases(tmp_path / "cases", 2)
    study, output = image_path(tmp_path / "cases", "c-000000", 0), tmp_path / "mask.nii.gz"
    other = image_path(tmp_path / "cases", "c-000001", 0)
    model = mlflow.pyfunc.load_model("models:/knees@challenger")
    table = model.predict(pd.DataFrame({"path": [str(study), str(other)], "output": [str(output), ""]}))
    # All 5 x 40 x 56 voxels of 3.0 x 0.8 x 0.5 mm.
    assert table["target"].tolist() == ["tumor", "tumor"]
    assert table["volume_ml"].tolist() == pytest.approx([13.44, 13.44])
    assert np.all(read_mask(output, name="c").labels == 1)
