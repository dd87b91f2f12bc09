"""One hash a mask, whatever it is stored in."""

import hashlib

import numpy as np
import pytest

from lesionflow.data.dataset import Target
from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask
from lesionflow.errors import InputError
from lesionflow.prediction.mask_identity import Grid, identify

GEOMETRY = Geometry.from_parts((2, 1, 3), (3.0, 0.8, 0.5), (10.0, -20.0, 5.0))
LABELS = np.array([[[0, 1, 2]], [[2, 0, 0]]], np.uint8)
TARGETS = (Target(name="whole", labels=(1, 2)), Target(name="core", labels=(1,)))


def test_it_is_the_hash_of_grid_names_and_packed_voxels():
    grid = '{"shape":[2,1,3],"affine":[0.0,0.0,0.5,10.0,0.0,0.8,0.0,-20.0,3.0,0.0,0.0,5.0],"spacing_known":true}'
    # Bits of (slice, row, column) from the left: whole 011 and 100, core 010 and 000.
    by_hand = grid.encode() + b'"whole"' + bytes([0b01100000, 0b10000000]) + b'"core"' + bytes([0b01000000, 0])
    found = identify(Mask(LABELS, GEOMETRY), TARGETS)
    assert found.sha256 == hashlib.sha256(by_hand).hexdigest()
    assert found.targets == {"whole": (1, 2), "core": (1,)}


@pytest.mark.parametrize(
    "other",
    [
        Mask(np.zeros_like(LABELS), GEOMETRY),
        Mask(np.where(LABELS == 1, 2, LABELS), GEOMETRY),
        Mask(LABELS, Geometry.from_parts((2, 1, 3), (3.0, 0.8, 0.5001), (10.0, -20.0, 5.0))),
        Mask(LABELS, Geometry.from_parts((2, 1, 3), (3.0, 0.8, 0.5), (10.0, -20.0, 5.001))),
    ],
)
def test_emptied_relabelled_stretched_and_moved_are_others(other):
    assert identify(other, TARGETS).sha256 != identify(Mask(LABELS, GEOMETRY), TARGETS).sha256


def test_the_grid_comes_back():
    assert Grid.of(GEOMETRY).geometry().same_grid(GEOMETRY, 1e-6)
    with pytest.raises(InputError):
        Grid(shape=(1, 1, 1), affine=(1.0, 2.0)).geometry()
