"""The examples of docs/serving.md, as they stand there, against a real network on a socket: what they write is what `predict` writes."""

import re
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest

from lesionflow.config import Settings
from lesionflow.inference import Segmenter
from lesionflow.phantoms import write_phantoms
from lesionflow.prediction.served_model import load_model
from lesionflow.prediction.study import predict_study
from lesionflow.serving.api import create_app
from lesionflow.serving.settings import ServiceSettings
from support.live_service import live
from support.served_models import write_untrained_bundle

PAGE = Path(__file__).resolve().parents[2] / "docs" / "serving.md"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with `study` and `study.zip`, as the examples have them."""
    truth = write_phantoms(tmp_path / "phantoms", n_cases=1, seed=21, modality="ct")
    shutil.copytree(tmp_path / "phantoms" / truth[0].study, tmp_path / "study")
    shutil.make_archive(str(tmp_path / "study"), "zip", tmp_path / "study")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_examples_do_what_they_say(here, capsys):
    section = PAGE.read_text(encoding="utf-8").partition("### From Python\n")[2].partition("\n### ")[0]
    examples = re.findall(r"^```python\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    assert len(examples) == 3
    bundle = write_untrained_bundle(here / "bundle", {"CT": "ct"})
    app = create_app(ServiceSettings(model=str(bundle), state_dir=here / "state"), Settings(device="cpu"))
    names = {}
    with live(app) as address:
        # The client comes again until the model is loaded.
        for example in examples:
            exec(compile(example.replace("http://127.0.0.1:3000", address), str(PAGE), "exec"), names)
    told = capsys.readouterr().out
    assert "done" in told
    assert re.search(r"^tumor \d+\.\d+$", told, re.MULTILINE)
    model = load_model(str(bundle), None, "")
    segmenter = Segmenter(model.bundle, device="cpu")
    for name, file in (("nifti", "predicted.nii.gz"), ("dicom-seg", "predicted.dcm")):
        predict_study(model, segmenter, here / "study", here / f"{file}", output_format=name)
    written, predicted = pydicom.dcmread(here / "mask.dcm"), pydicom.dcmread(here / "predicted.dcm")
    np.testing.assert_array_equal(written.pixel_array, predicted.pixel_array)
    expected = np.asarray(nibabel.load(here / "predicted.nii.gz").dataobj)
    np.testing.assert_array_equal(np.asarray(nibabel.load(here / "mask.nii.gz").dataobj), expected)
    assert 0 < expected.mean() < 1
    for mask in names["masks"]:
        mask.save(here / "one.nii.gz")
        np.testing.assert_array_equal(np.asarray(nibabel.load(here / "one.nii.gz").dataobj), expected)
