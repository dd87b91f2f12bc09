"""A mask through contours and back, by our own reader of structure sets; other readers stand in the contract test."""

import numpy as np
import pydicom
import pytest

from lesionflow.data.dataset import Target
from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask
from lesionflow.errors import DicomError
from lesionflow.io.dicom.rtstruct import read_structures
from lesionflow.io.dicom.writing.referred import read_referred
from lesionflow.io.dicom.writing.structure_set import read_structure_regions, write_structure_set
from lesionflow.io.rules import ReadingRules
from support.dicom_factory import SHAPE, write_series

RULES = ReadingRules({}, "", {"tumor": 1}, (("tumor", "tumor"),))
TARGETS = (Target(name="tumor", labels=(1,)),)


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.5, 1.0])
def test_any_mask_comes_back_voxel_for_voxel(tmp_path, fraction):
    series = write_series(tmp_path / "series", shape=SHAPE)
    geometry = Geometry(SHAPE, series.affine_by_hand)
    labels = (np.random.default_rng(3).random(SHAPE) < fraction).astype(np.uint8)
    files = tuple(map(str, series.paths))
    write_structure_set(
        tmp_path / "s.dcm", Mask(labels, geometry), read_referred(files, name="c"), TARGETS, version="v", name="c"
    )
    data = pydicom.dcmread(tmp_path / "s.dcm")
    assert np.array_equal(read_structure_regions(data, geometry, name="c")["tumor"], labels > 0)
    # What ingest reads of it, where it holds anything that a person could have drawn.
    if fraction in (0.0, 1.0):
        assert np.array_equal(read_structures(data, geometry, series.frame_uid, RULES, name="c").labels, labels)


def test_what_holds_no_structures_is_refused():
    with pytest.raises(DicomError, match="Expected readable outlines"):
        read_structure_regions(pydicom.Dataset(), Geometry.from_parts((1, 2, 3), (1.0, 1.0, 1.0)), name="c")
