"""Volumes and places by hand; that harm is told by them is shown by `prediction`'s check."""

import numpy as np
import pydicom
import pytest

from lesionflow.errors import DicomError
from lesionflow.io.dicom.writing.written_places import measure_figures, measure_frames, measure_outlines
from lesionflow.prediction.writers import WRITERS
from support.dicom_factory import affine_by_hand
from support.hand_made import hand_made_prediction

AFFINE = affine_by_hand()
#: Of `hand_made`: slice, how many voxels, first and last row, first and last column.
BY_HAND = {
    "whole": [(2, 95, 3, 11, 4, 14), (4, 1, 13, 13, 20, 20)],
    "core": [(2, 20, 5, 8, 6, 11), (4, 1, 13, 13, 20, 20)],
}


@pytest.fixture(scope="module")
def prediction(tmp_path_factory):
    return hand_made_prediction(tmp_path_factory.mktemp("study"))


def read(prediction, tmp_path, name):
    WRITERS[name].write(tmp_path / "m.dcm", prediction)
    return pydicom.dcmread(tmp_path / "m.dcm")


def require_by_hand(found):
    assert list(found) == list(BY_HAND)
    for target, patches in found.items():
        for patch, (place, n, *box) in zip(
            sorted(patches, key=lambda each: -each.n_voxels), BY_HAND[target], strict=True
        ):
            assert patch.n_voxels == pytest.approx(n, abs=1e-3)
            corners = [AFFINE[:3] @ (place, box[side], box[2 + side], 1) for side in (0, 1)]
            np.testing.assert_allclose(patch.extent_mm, corners, atol=1e-4)


def test_voxels_of_a_seg_lie_where_its_headers_say(prediction, tmp_path):
    found = measure_frames(read(prediction, tmp_path, "dicom-seg"))
    require_by_hand(found)
    # Rows 3 to 11, columns 4 to 14, less the hole of rows 6 and 7, columns 8 and 9.
    center = np.array([(99 * 7 - 4 * 6.5) / 95, (99 * 9 - 4 * 8.5) / 95])
    np.testing.assert_allclose(max(found["whole"]).center_mm, AFFINE[:3] @ (2, *center, 1), atol=1e-4)


def test_outlines_enclose_as_many_voxels_as_were_outlined(prediction, tmp_path):
    axes = np.array([AFFINE[:3, 1], AFFINE[:3, 2]])
    require_by_hand(measure_outlines(read(prediction, tmp_path, "rtstruct"), axes))


def test_figures_tell_of_volumes_and_lines(prediction, tmp_path):
    files = iter([2, 2, 4, 4] * 2)
    volumes, axes = measure_figures(
        read(prediction, tmp_path, "dicom-sr"), lambda _: prediction.study.reference_files[next(files)]
    )
    assert volumes == pytest.approx({"whole": 96 * 1.2e-3, "core": 21 * 1.2e-3})
    assert [(axis.target, axis.is_long) for axis in axes] == [
        (target, is_long) for target in ("whole", "core") for _ in range(2) for is_long in (True, False)
    ]
    # A voxel of 0.8 x 0.5 mm at row 13, column 20 of slice 4.
    ends = [AFFINE[:3] @ (4, row, 20, 1) for row in (12.5, 13.5)]
    np.testing.assert_allclose(sorted(axes[2].ends_mm.tolist()), sorted(np.array(ends).tolist()), atol=1e-4)


@pytest.mark.parametrize("measure", [measure_frames, lambda data: measure_outlines(data, np.eye(3)[:2])])
def test_what_can_not_be_read_is_refused_by_name(measure):
    with pytest.raises(DicomError) as error:
        measure(pydicom.Dataset())
    assert error.value.reason == "unreadable_outline"
