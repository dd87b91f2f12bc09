"""The model being served: none at first, then one, by which work is done, followed or not."""

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
    yield made
    made.close()


def test_before_a_model_is_loaded_a_study_is_asked_to_come_again():
    engine = Engine(ServiceSettings(model="champion"), Settings(device="cpu"))
    assert not engine.ready
    for ask in (lambda: engine.model, engine.describe, lambda: engine.do(lambda generation: generation)):
        with pytest.raises(RequestRefusedError) as error:
            ask()
        assert (error.value.http_status, error.value.code) == (503, "not_ready")
        assert int(error.value.headers["Retry-After"]) > 0


def test_a_broken_bundle_is_no_model(tmp_path):
    engine = Engine(ServiceSettings(model=str(tmp_path)), Settings(device="cpu"))
    with pytest.raises(ArtifactError):
        engine.load()
    assert not engine.ready


def test_work_is_done_by_the_model_that_is_told(engine, bundle_folder):
    assert engine.ready
    assert engine.do(lambda generation: generation.model) is engine.model
    told = engine.describe()
    assert (told["bundle_digest"], told["n_golden_cases"]) == (engine.model.bundle.digest, 0)
    assert told["following"] == {"alias": None}


@pytest.mark.parametrize(
    ("model", "every_s", "follows"), [("champion", 30.0, True), ("champion", 0.0, False), ("7", 30.0, False)]
)
def test_an_alias_is_followed_and_a_number_is_not(model, every_s, follows):
    assert Engine(ServiceSettings(model=model, follow_s=every_s), Settings(device="cpu")).follows is follows


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
    engine.close()
    assert not engine.ready


def test_a_stopped_engine_tries_no_more():
    engine = Engine(ServiceSettings(model="champion"), Settings(device="cpu"))
    engine.stop()
    engine._load_until_it_works()
    assert not engine.ready
