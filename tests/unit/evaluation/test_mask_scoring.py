"""A mask alone gets the figures that the same mask of a model gets."""

import numpy as np
import pytest

from lesionflow.data.case import Case
from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask, Volume
from lesionflow.errors import ArtifactError, GeometryMismatchError
from lesionflow.evaluation.mask_scoring import score_mask, tables_of
from lesionflow.evaluation.scoring import score_bundle
from lesionflow.metrics import METRICS
from support.bundles import constant_bundle

GRID = Geometry.from_parts((4, 32, 32), (3.0, 0.8, 0.5))
NOISE = np.random.default_rng(3).normal(0, 20, (1, *GRID.shape))


def case(labels=None):
    reference = None if labels is None else Mask(labels, GRID)
    return Case("c-1", "p-1", ("CT",), Volume(NOISE, GRID), reference)


def test_it_says_what_is_said_of_a_model_that_made_the_same_mask():
    labels = np.zeros(GRID.shape, np.uint8)
    labels[1:3, 4:20, 6:16] = 1
    labels[3] = 255
    bundle = constant_bundle(9.0)
    ours = score_bundle(bundle, lambda _: case(labels), ["c-1"], device="cpu")
    found = tables_of([score_mask(case(labels), Mask(np.ones(GRID.shape, np.uint8), GRID), bundle.plan.targets)])
    assert list(found.cases.columns) == list(ours.cases.columns)
    for name in METRICS:
        assert found.cases[name].tolist() == pytest.approx(ours.cases[name].tolist(), nan_ok=True), name
    # 2 x 320 / (320 + 3 x 1024): what is not known counts for nothing.
    assert found.cases["dice"].tolist() == [pytest.approx(640 / (320 + 3072))]
    assert found.cases["seconds"].isna().all()
    assert found.lesions["kind"].tolist() == ours.lesions["kind"].tolist()
    assert (len(found.detections), len(found.bins)) == (0, 0)


def test_without_a_reference_or_off_its_grid_nothing_is_scored():
    mask = Mask(np.zeros(GRID.shape, np.uint8), GRID)
    targets = constant_bundle(1.0).plan.targets
    with pytest.raises(ArtifactError, match="Expected a reference mask for case c-1"):
        score_mask(case(), mask, targets)
    off = Mask(mask.labels, Geometry.from_parts(GRID.shape, (3.0, 0.8, 0.6)))
    with pytest.raises(GeometryMismatchError, match="Reference and mask of case c-1"):
        score_mask(case(mask.labels), off, targets)
