"""Stored values and the labels that they can only mean."""

import numpy as np
import pytest

from lesionflow.io.images.label_values import as_labels

#: What nibabel makes of labels 0, 1, 2 as float that it stores in 16 bits.
SLOPE = float(np.float32(2 / 65535))


@pytest.mark.parametrize(
    ("values", "step", "labels"),
    [
        (np.array([0, 1, 255], np.uint8), 0.0, [0, 1, 255]),
        (np.array([False, True]), 0.0, [0, 1]),
        (np.array([0, 3, 255], np.int32), 0.0, [0, 3, 255]),
        (np.array([0.0, 3.0, 255.0]), 0.0, [0, 3, 255]),
        (np.array([0.0, 1.00001526, 2.0]), SLOPE, [0, 1, 2]),
        (np.array([0.0, np.float32(1 / 3) * 3, 1.0000001], np.float32), 0.0, [0, 1, 1]),
        (np.array([0.0, 128 * 2 / 255, 2.0]), 2 / 255, [0, 1, 2]),
        (np.array([0, 65535], np.uint16), 0.0, [0, 255]),
        (np.array([0.0, 65535.0]), 0.0, [0, 255]),
    ],
    ids=[
        "bytes",
        "bool",
        "32 bits",
        "float",
        "16 bits scaled",
        "arithmetic",
        "8 bits scaled",
        "16-bit inside",
        "its float",
    ],
)
def test_whole_numbers_are_labels_within_half_a_step_of_their_storage(values, step, labels) -> None:
    found = as_labels(values, step)
    assert found is not None
    assert found.dtype == np.uint8
    assert found.tolist() == labels


@pytest.mark.parametrize(
    ("values", "step"),
    [
        ([0.0, 1.00001526], 0.0),
        ([0.0, 1.00004], SLOPE),
        ([0.0, 0.5, 1.0], 1 / 255),
        ([0.0, 0.9], 0.2),
        ([0, 256], 0.0),
        ([-1, 0], 0.0),
        ([-0.5, 0.0], 0.0),
        ([0, 1, 65535], 0.0),
        ([0, 65534], 0.0),
        ([0.0, np.nan], 0.0),
        ([0.0, np.inf], 0.0),
        ([0.0, 255.4], 1e-3),
    ],
)
def test_everything_else_is_none(values, step) -> None:
    assert as_labels(np.array(values), step) is None
