import numpy as np
import pydicom
import pytest

from lesionflow.data.dataset import Target
from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask
from lesionflow.errors import GeometryMismatchError
from lesionflow.io.dicom.seg import write_seg
from lesionflow.io.dicom.writing.referred import read_referred
from lesionflow.io.dicom.writing.structure_set import write_structure_set
from support.dicom_factory import SHAPE, write_series

TARGETS = (Target(name="tumor", labels=(1,)),)


@pytest.fixture
def series(tmp_path):
    return write_series(tmp_path / "ct", shape=SHAPE, change=lambda data, _: setattr(data, "PatientName", "STS_002"))


@pytest.fixture
def files(series):
    return tuple(map(str, series.paths))


@pytest.fixture
def mask(series):
    labels = np.zeros(SHAPE, np.uint8)
    labels[1, 2:4, 3:5] = 1
    return Mask(labels, Geometry(SHAPE, series.affine_by_hand))


def test_what_is_made_of_a_series_leaves_it_as_it_was(tmp_path, files, mask):
    """A passport or a name that is written into one object stands in no other."""

    def passport(data):
        data.PatientComments, data.PatientName = "of this object", "Changed^Here"

    referred = read_referred(files, name="c")
    before = [image.to_json() for image in referred.images]
    write_seg(tmp_path / "a.dcm", mask, referred, TARGETS, version="1", name="c", passport=passport)
    write_structure_set(tmp_path / "b.dcm", mask, referred, TARGETS, version="1", name="c", passport=passport)
    assert [image.to_json() for image in referred.images] == before
    write_seg(tmp_path / "c.dcm", mask, referred, TARGETS, version="1", name="c")
    second = pydicom.dcmread(tmp_path / "c.dcm")
    assert str(second.PatientName) == "STS_002"
    assert "PatientComments" not in second


def test_a_mask_on_another_grid_is_refused(files, mask):
    cut = tuple(slice(n == 0, size) for n, size in enumerate(SHAPE))
    other = Mask(mask.labels[cut], mask.geometry.cut(cut))
    with pytest.raises(GeometryMismatchError):
        read_referred(files, name="c").require_grid_of(other, "c")
