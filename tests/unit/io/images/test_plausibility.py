import numpy as np
import pytest

from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Volume
from lesionflow.errors import InputError
from lesionflow.io.images.plausibility import check_values
from lesionflow.io.notes import collected


def said(values, modality="CT"):
    grid = Geometry.from_parts((1, 1, len(values)), (4.0, 3.0, 2.0))
    with collected() as notes:
        check_values(Volume(np.array([[[values]]]), grid), modality, name="c-1")
    return [note.code for note in notes]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([-1000, 40], []),  # air and tissue
        ([-100, 40], []),  # fat and tissue
        ([0, 255], ["no_air"]),  # windowed to a byte
        ([24, 1064], ["no_air"]),  # stored values without their offset of -1024
    ],
)
def test_a_ct_without_air_or_fat_is_said(values, expected):
    assert said(values) == expected
    assert said(values, "MR") == []


def test_a_lost_sign_is_refused():
    with pytest.raises(InputError) as caught:
        said([40, 64536])
    assert caught.value.reason == "implausible_hu"
    assert said([40, 64536], "MR") == []


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([-0.1, 0, 0.8, 12], []),
        ([0, 0.1, 0.2], ["unusual_suv"]),
        ([0, 20, 30], ["unusual_suv"]),
        ([0, 0], ["unusual_suv"]),
    ],
)
def test_a_pet_of_seldom_values_is_said(values, expected):
    assert said(values, "PT") == expected


@pytest.mark.parametrize("values", [[0, 1200, 15_000], [0, 0.001, 0.012], [-9000, 1, 12]])
def test_a_pet_that_is_no_suv_is_refused(values):
    with pytest.raises(InputError) as caught:
        said(values, "PT")
    assert caught.value.reason == "implausible_suv"
    assert said(values, "MR") == []
