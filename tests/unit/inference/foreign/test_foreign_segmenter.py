"""A foreign model behind the face of `Segmenter`: asked alike, scored alike, its mask untouched."""

import numpy as np
import pytest

from lesionflow.data.case import Case
from lesionflow.data.volume import Mask, Volume
from lesionflow.errors import InputError
from lesionflow.evaluation.scoring import score_bundle
from lesionflow.inference import Segmenter
from lesionflow.inference.foreign.foreign_segmenter import ForeignSegmenter
from support.bundles import small_bundle
from support.nnunet import bright_study, foreign_bundle, write_program


@pytest.fixture
def bundle(tmp_path, monkeypatch):
    monkeypatch.setenv("LESIONFLOW_NNUNET_PYTHON", str(write_program(tmp_path)))
    return foreign_bundle(tmp_path / "model")


def test_one_that_asks_another_program_is_made_of_its_bundle(bundle):
    segmenter = Segmenter(bundle, device="cpu")
    assert type(segmenter) is ForeignSegmenter
    volume, bright = bright_study()
    parts = []
    found = segmenter.segment(volume, case_id="c-1", progress=lambda done, total: parts.append((done, total)))
    assert np.array_equal(found.mask.labels, bright)
    assert found.mask.geometry.same_grid(volume.geometry)
    assert found.volumes_ml["tumor"] == pytest.approx(bright.sum() * 3.0 * 0.8 * 0.5 / 1000)
    (lesion,) = found.findings[0].lesions
    assert lesion.center_mm == pytest.approx(tuple(volume.geometry.to_lps((1.5, 4.0, 4.5))))
    assert found.findings[0].mean_probability == pytest.approx(0.9, abs=1e-5)
    assert np.allclose(found.probabilities[0], np.where(bright, 0.9, 0.1), atol=1e-5)
    assert (segmenter.backend, parts) == ("nnunet", [(1, 1)])


def test_it_is_scored_as_any_model(bundle):
    volume, bright = bright_study()
    half = bright.copy()
    half[2] = False
    case = Case("c-1", "p-1", ("CT",), volume, Mask(half.astype(np.uint8), volume.geometry))
    scores = score_bundle(bundle, lambda _: case, ["c-1"], device="cpu").cases
    # All of the reference is found, and as much again: 2 x 10 / (10 + 20).
    assert scores["dice"].tolist() == [pytest.approx(2 / 3)]


def test_a_study_of_other_channels_is_refused_and_our_own_models_stay_ours(bundle):
    volume, _ = bright_study()
    two = Volume(np.concatenate([volume.array, volume.array]), volume.geometry)
    with pytest.raises(InputError, match="expected the 1 channels CT, found 2"):
        Segmenter(bundle, device="cpu").segment(two, case_id="c-1")
    assert bundle.plan.foreign is not None
    assert small_bundle().plan.foreign is None
