"""One model: loaded with its golden cases, segmenting into the files that were asked for; refused where it is not what it says."""

import dataclasses
import os
import shutil
import signal

import pytest

from lesionflow.config import Settings
from lesionflow.errors import ArtifactError
from lesionflow.inference.golden import make_golden
from lesionflow.io.stores.bundles import read_bundle, write_bundle
from lesionflow.serving.children.failures import ChildDiedError
from lesionflow.serving.children.model_process import ModelProcess, Terms
from lesionflow.serving.generations.generation import load_generation
from lesionflow.serving.settings import ServiceSettings
from lesionflow.serving.uploads.multipart import Part

SERVICE, SETTINGS = ServiceSettings(model="m"), Settings(device="cpu")


@pytest.fixture(scope="module")
def proven(bundle_folder, tmp_path_factory):
    """The bundle with its golden cases."""
    bundle, folder = read_bundle(bundle_folder), tmp_path_factory.mktemp("golden") / "bundle"
    write_bundle(folder, dataclasses.replace(bundle, golden=make_golden(bundle)))
    return folder


@pytest.fixture(scope="module")
def generation(proven):
    made = load_generation(SERVICE, SETTINGS, str(proven))
    yield made
    made.close()
    assert made.n_alive == 0


def test_masks_are_named_as_their_format_says_and_none_is_made_unasked(generation, proven, study_zip, tmp_path):
    assert (generation.n_golden, generation.n_alive) == (2, 1)
    sent, into = tmp_path / "sent", tmp_path / "result"
    for folder in (sent, into):
        folder.mkdir()
    (sent / "part-0").write_bytes(study_zip)
    report = generation.segment([Part("study", sent / "part-0")], into, "dicom-seg", Terms())
    assert [path.name for path in into.iterdir()] == ["mask.dcm"]
    assert report["passport"]["bundle_digest"] == generation.model.bundle.digest == read_bundle(proven).digest
    assert "write_dicom_seg" in report["timings_s"]
    assert "write_png" not in report["timings_s"]


def test_a_flipped_byte_is_refused(proven, tmp_path):
    folder = shutil.copytree(proven, tmp_path / "bundle")
    weights = bytearray((folder / "weights.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "weights.safetensors").write_bytes(weights)
    with pytest.raises(ArtifactError, match="weights"):
        load_generation(SERVICE, SETTINGS, str(folder))


def test_a_model_that_answers_its_golden_cases_otherwise_is_refused(bundle_folder, tmp_path):
    """Whole and sealed, but its weights are not those that gave the answers."""
    bundle = read_bundle(bundle_folder)
    other = {name: array + 1 if name == "output.bias" else array for name, array in bundle.weights.items()}
    write_bundle(tmp_path / "bundle", dataclasses.replace(bundle, weights=other, golden=make_golden(bundle)))
    with pytest.raises(ArtifactError, match="golden cases"):
        load_generation(SERVICE, SETTINGS, str(tmp_path / "bundle"))


def test_a_study_given_to_a_process_that_dies_before_it_begins_is_given_to_another(
    generation, proven, study_zip, tmp_path, monkeypatch
):
    """Killed while nobody used it, it looks alive for some milliseconds more: nothing of the study has cost it its life."""
    real, given = ModelProcess.segment, []

    def dies_first(self, order, terms):
        given.append(self.pid)
        if len(given) == 1:
            os.kill(self.pid, signal.SIGKILL)
        return real(self, order, terms)

    monkeypatch.setattr(ModelProcess, "segment", dies_first)
    sent, into = tmp_path / "sent", tmp_path / "result"
    for folder in (sent, into):
        folder.mkdir()
    (sent / "part-0").write_bytes(study_zip)
    report = generation.segment([Part("study", sent / "part-0")], into, "nifti", Terms())
    assert report["passport"]["bundle_digest"] == read_bundle(proven).digest
    assert len(set(given)) == 2


def test_a_study_that_was_begun_is_given_to_no_other(generation, study_zip, tmp_path, monkeypatch):
    """It may be what the process died of: it would take one after another with it."""
    given = []

    def dies_of_it(self, order, terms):
        given.append(self.pid)
        (tmp_path / "study").mkdir()
        os.kill(self.pid, signal.SIGKILL)
        raise ChildDiedError("SIGKILL")

    monkeypatch.setattr(ModelProcess, "segment", dies_of_it)
    (tmp_path / "part-0").write_bytes(study_zip)
    with pytest.raises(ChildDiedError):
        generation.segment([Part("study", tmp_path / "part-0")], tmp_path / "result", "nifti", Terms())
    assert len(given) == 1
