import numpy as np
import pytest

from lesionflow.data.case import Case
from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask, Volume
from lesionflow.errors import GeometryMismatchError, InputError

GRID = Geometry.from_parts((5, 7, 11), (3.0, 0.8, 0.5))
OTHER = Geometry.from_parts((5, 7, 11), (3.0, 0.8, 0.6))


def test_a_case_holds_as_many_channels_as_it_names():
    volume = Volume(np.zeros((2, 5, 7, 11)), GRID)
    assert Case("c-1", "p-1", ("CT", "PET"), volume).reference_mask is None
    with pytest.raises(InputError) as caught:
        Case("c-1", "p-1", ("CT",), volume)
    assert caught.value.reason == "invalid_array"


def test_a_case_has_its_mask_on_its_own_grid():
    with pytest.raises(GeometryMismatchError, match="c-1"):
        Case("c-1", "p-1", ("CT",), Volume(np.zeros((1, 5, 7, 11)), GRID), Mask(np.zeros((5, 7, 11)), OTHER))
