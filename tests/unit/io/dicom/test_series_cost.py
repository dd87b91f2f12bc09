"""A series is judged by what the header of one file claims, before its pixels are decoded."""

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, JPEGLSLossless

from lesionflow.data.geometry import Geometry
from lesionflow.errors import InputError
from lesionflow.io.dicom.series_cost import require_affordable, require_grid_affordable

FRAMES = [(0.7, 0.8), (0.7, 2000.0)]


def header(**values):
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.Rows = data.Columns = 512
    data.BitsAllocated = 16
    data.PixelSpacing = [0.7, 0.8]
    for name, value in values.items():
        setattr(data, name, value)
    return data


def item(**values):
    made = Dataset()
    for name, value in values.items():
        setattr(made, name, value)
    return made


def refusal(data, **named):
    with pytest.raises(InputError, match="c-1") as caught:
        require_affordable(data, name="c-1", **{"n_files": 300, "file_bytes": 160_000_000} | named)
    return caught.value.reason


def test_a_usual_series_passes():
    require_affordable(header(), n_files=300, file_bytes=160_000_000, name="c-1")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"PixelSpacing": [0.7, 2000]}, "implausible_spacing"),
        ({"PixelSpacing": [1e-6, 1e-6]}, "implausible_spacing"),
        # 512 columns of 9.9 mm reach over 5 m.
        ({"PixelSpacing": [0.7, 9.9]}, "implausible_spacing"),
        ({"Rows": 65535, "Columns": 65535}, "oversized_image"),
        ({"NumberOfFrames": 2**31 - 1}, "oversized_image"),
    ],
)
def test_what_no_scanner_makes_is_refused_by_name(values, reason):
    assert refusal(header(**values)) == reason


def test_the_spacing_of_a_frame_counts_like_that_of_a_slice():
    groups = [item(PixelMeasuresSequence=[item(PixelSpacing=list(pair))]) for pair in FRAMES]
    assert refusal(header(PerFrameFunctionalGroupsSequence=groups)) == "implausible_spacing"
    assert refusal(header(SharedFunctionalGroupsSequence=groups[1:])) == "implausible_spacing"
    require_affordable(header(SharedFunctionalGroupsSequence=groups[:1]), n_files=1, file_bytes=1000, name="c-1")


def test_packed_slices_that_can_hold_nothing_are_refused():
    packed = header()
    packed.file_meta.TransferSyntaxUID = JPEGLSLossless
    # 157 MB in 600 kB; in 1 MB, each slice may hold something.
    assert refusal(packed, file_bytes=600_000) == "oversized_image"
    require_affordable(packed, n_files=300, file_bytes=1_000_000, name="c-1")


def test_the_grid_of_slices_counts_too():
    near = Geometry.from_parts((300, 512, 512), (3.0, 0.7, 0.8))
    require_grid_affordable(near, name="c-1")
    for grid, reason in (
        (Geometry.from_parts((300, 512, 512), (300.0, 0.7, 0.8)), "implausible_spacing"),
        (Geometry.from_parts((300, 512, 512), (3.0, 0.7, 0.8), (1e9, 0, 0)), "invalid_geometry"),
    ):
        with pytest.raises(InputError, match="c-1") as caught:
            require_grid_affordable(grid, name="c-1")
        assert caught.value.reason == reason
