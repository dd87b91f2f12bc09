"""Facts of one case, against a box whose place and values are known."""

import numpy as np
import pytest

from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask, Volume
from lesionflow.io.images.nifti import write_mask, write_volume
from lesionflow.io.stores.cases import image_path, mask_path, write_dataset
from lesionflow.steps.plan.case_facts import SAMPLES_A_CASE, measure_facts
from support.bundles import DATASET

SHAPE = (6, 20, 30)
#: Array axes that grow to the left, to the back and to the head: another order than the canonical one.
ROTATED = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]])


def write(folder, geometry, *, outlined=True):
    image = np.full(SHAPE, -1000.0, np.float32)
    image[1:5, 3:18, 4:26] = 40.0
    labels = np.zeros(SHAPE, np.uint8)
    labels[2:4, 5:8, 6:11] = outlined
    image[labels > 0] = 90.0
    image[0, 0, 0] = 500.0  # a speck apart, which is no body
    write_volume(image_path(folder, "c-1", 0), Volume(image[None], geometry))
    if outlined:
        write_mask(mask_path(folder, "c-1"), Mask(labels, geometry))
    write_dataset(folder, DATASET, 1)
    return measure_facts(folder, DATASET, "c-1")


def test_the_body_is_measured_and_the_tumor_counted(tmp_path):
    facts = write(tmp_path, Geometry.from_parts(SHAPE, (3.0, 0.8, 0.5)))
    assert facts.spacing_mm == pytest.approx((3.0, 0.8, 0.5))
    assert facts.body_shape == (4, 15, 22)
    assert facts.tumor_ml == pytest.approx(2 * 3 * 5 * 3.0 * 0.8 * 0.5 / 1000)
    assert facts.body.shape == (1, 4 * 15 * 22)
    assert facts.tumor.shape == (1, 30)
    assert set(np.unique(facts.body)) == {40.0, 90.0}
    assert set(np.unique(facts.tumor)) == {90.0}


def test_axes_are_those_of_the_patient_whatever_their_order_in_the_file(tmp_path):
    facts = write(tmp_path, Geometry.from_parts(SHAPE, (0.5, 0.8, 3.0), direction=ROTATED))
    assert facts.spacing_mm == pytest.approx((3.0, 0.8, 0.5))
    assert facts.body_shape == (22, 15, 4)


def test_without_an_outline_there_is_no_tumor(tmp_path):
    facts = write(tmp_path, Geometry.from_parts(SHAPE, (3.0, 0.8, 0.5)), outlined=False)
    assert (facts.tumor_ml, facts.tumor.shape) == (0.0, (1, 0))


def test_samples_are_spread_over_the_whole_body(tmp_path, monkeypatch):
    monkeypatch.setattr("lesionflow.steps.plan.case_facts.SAMPLES_A_CASE", 100)
    facts = write(tmp_path, Geometry.from_parts(SHAPE, (3.0, 0.8, 0.5)))
    # 1320 places, every 13th of them.
    assert facts.body.shape == (1, 102)
    assert SAMPLES_A_CASE > 100
