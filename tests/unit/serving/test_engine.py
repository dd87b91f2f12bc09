"""The model being served: none at first, then one, whose masks lie where the service looks for them."""

import pytest

from lesionflow.config import Settings
from lesionflow.errors import ArtifactError
from lesionflow.serving.engine import Engine
from lesionflow.serving.problems import RequestRefusedError
from lesionflow.serving.settings import ServiceSettings


@pytest.fixture(scope="module")
def engine(bundle_folder):
    made = Engine(ServiceSettings(model=str(bundle_folder)), Settings(device="cpu"))
    made.load()
    return made


def test_before_a_model_is_loaded_a_study_is_asked_to_come_again(tmp_path):
    engine = Engine(ServiceSettings(model="champion"), Settings(device="cpu"))
    assert not engine.ready
    for ask in (lambda: engine.model, lambda: engine.segment(tmp_path, tmp_path, ())):
        with pytest.raises(RequestRefusedError) as error:
            ask()
        assert (error.value.http_status, error.value.code) == (503, "not_ready")
        assert int(error.value.headers["Retry-After"]) > 0


def test_a_broken_bundle_is_no_model(tmp_path):
    engine = Engine(ServiceSettings(model=str(tmp_path)), Settings(device="cpu"))
    with pytest.raises(ArtifactError):
        engine.load()
    assert not engine.ready


def test_masks_are_named_as_their_format_says_and_none_is_made_unasked(engine, study, tmp_path):
    assert engine.ready
    report = engine.segment(study, tmp_path, ("nifti", "dicom-seg"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mask.dcm", "mask.nii.gz"]
    assert report["passport"]["bundle_digest"] == engine.model.bundle.digest
    assert {"write_nifti", "write_dicom_seg"} <= set(report["timings_s"])
    assert "write_png" not in report["timings_s"]


def test_a_model_that_cannot_be_loaded_is_tried_again_until_it_can(bundle_folder, tmp_path, monkeypatch):
    engine = Engine(ServiceSettings(model=str(bundle_folder), load_retry_s=0.01), Settings(device="cpu"))
    load, tries = engine.load, []

    def fail_once():
        tries.append(1)
        if len(tries) == 1:
            raise ArtifactError("not yet")
        load()

    monkeypatch.setattr(engine, "load", fail_once)
    engine._load_until_it_works()
    assert (len(tries), engine.ready) == (2, True)


def test_a_stopped_engine_tries_no_more():
    engine = Engine(ServiceSettings(model="champion"), Settings(device="cpu"))
    engine.stop()
    engine._load_until_it_works()
    assert not engine.ready
