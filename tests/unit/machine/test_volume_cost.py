"""What a header may claim: sizes, spacings, packings and grids at their limits, and one step beyond them."""

import nibabel as nib
import numpy as np
import pytest
from nibabel.spatialimages import HeaderDataError

from lesionflow.errors import InputError
from lesionflow.machine import study_budget as budget
from lesionflow.machine import volume_cost
from lesionflow.machine.study_budget import current_budget, reading_mask
from lesionflow.machine.volume_cost import require_memory, require_position, require_seconds, require_volume

CT = (300, 512, 512), (1.0, 0.8, 0.8)


def reason(call, *values, **named):
    with pytest.raises(InputError, match="c-1") as refusal:
        call(*values, name="c-1", **named)
    return refusal.value.reason


@pytest.fixture
def much_memory(monkeypatch):
    monkeypatch.setattr(volume_cost, "available_bytes", lambda: 1 << 40)


@pytest.mark.usefixtures("much_memory")
class TestVolumes:
    def test_a_side_that_no_mask_could_have_is_refused(self):
        """nibabel says where NIfTI's sides end; a broken GIF claimed 65279 columns."""
        longest, beyond = (1, 2, 32767), (1, 2, 32768)
        nib.Nifti1Image(np.zeros(longest[::-1], np.uint8), np.eye(4))
        with pytest.raises(HeaderDataError):
            nib.Nifti1Image(np.zeros(beyond[::-1], np.uint8), np.eye(4))
        require_volume(longest, None, name="c-1", itemsize=1)
        assert reason(require_volume, beyond, None, itemsize=1) == "oversized_image"

    @pytest.mark.parametrize(
        ("shape", "spacing"),
        [
            CT,
            # CT of 0.3 mm; the longest PET, 2 m at 1.6 mm; a mouse at 10 micrometers; one slice 8 mm thick; a scout.
            ((1500, 1024, 1024), (0.3, 0.3, 0.3)),
            ((1250, 440, 440), (1.6, 1.6, 1.6)),
            ((1000, 1000, 1000), (0.01, 0.01, 0.01)),
            ((1, 2048, 2048), (8.0, 0.15, 0.15)),
            ((3, 256, 256), (60.0, 2.0, 2.0)),
        ],
    )
    def test_what_scanners_make_passes(self, shape, spacing):
        require_volume(shape, spacing, name="c-1", itemsize=2)

    @pytest.mark.parametrize(
        "spacing", [(1.0, 2000.0, 2000.0), (1.0, 1e-6, 1e-6), (400.0, 1.0, 1.0), (1.0, 1.0, 1e300), (1.0, 9.9, 1.0)]
    )
    def test_a_spacing_or_extent_that_no_scanner_has_is_refused(self, spacing):
        # 512 pixels of 9.9 mm are 5059 mm.
        assert reason(require_volume, CT[0], spacing, itemsize=2) == "implausible_spacing"

    def test_more_voxels_than_allowed_are_refused_and_the_setting_is_named(self, monkeypatch):
        with pytest.raises(InputError, match="LESIONFLOW_MAX_VOXELS") as refusal:
            require_volume((2000, 2000, 2000), None, name="c-1", itemsize=1)
        assert refusal.value.reason == "oversized_image"
        monkeypatch.setenv("LESIONFLOW_MAX_VOXELS", str(8_000_000_000))
        require_volume((2000, 2000, 2000), None, name="c-1", itemsize=1)
        assert reason(require_volume, (2000, 2000, 2000), None, itemsize=1, n_channels=2) == "oversized_image"

    def test_an_image_packed_to_nothing_is_refused_and_a_mask_is_not(self):
        # 78.6 million voxels of two bytes are 157 MB.
        assert reason(require_volume, *CT, itemsize=2, file_bytes=700_000) == "oversized_image"
        require_volume(*CT, name="c-1", itemsize=2, file_bytes=800_000)
        with reading_mask():
            require_volume(*CT, name="c-1", itemsize=2, file_bytes=100)

    def test_a_small_image_may_be_packed_to_nothing(self):
        require_volume((25, 500, 600), CT[1], name="c-1", itemsize=2, file_bytes=1000)

    def test_a_mask_reaches_beyond_its_image_by_a_border_alone(self):
        with budget.study_budget():
            require_volume((5, 7, 11), CT[1], name="c-1", itemsize=2)
            with reading_mask():
                require_volume((11, 14, 20), CT[1], name="c-1", itemsize=1)
                assert reason(require_volume, (11, 14, 21), CT[1], itemsize=1) == "geometry_mismatch"
            assert not current_budget().is_mask
        with reading_mask():
            require_volume((5, 7, 12), CT[1], name="c-1", itemsize=1)


class TestMemory:
    def test_what_does_not_fit_is_refused_and_both_figures_are_told(self, monkeypatch):
        monkeypatch.setattr(volume_cost, "available_bytes", lambda: 500_000_000)
        with pytest.raises(InputError, match=r"786 MB .* found 500 MB") as refusal:
            # Two bytes stored, eight held of each of 78,643,200.
            require_volume(*CT, name="c-1", itemsize=2)
        assert refusal.value.reason == "memory_budget"
        monkeypatch.setattr(volume_cost, "available_bytes", lambda: 800_000_000)
        require_volume(*CT, name="c-1", itemsize=2)

    def test_little_is_not_asked_for(self, monkeypatch):
        monkeypatch.setattr(volume_cost, "available_bytes", lambda: 0)
        require_memory(16 << 20, name="c-1", what="all")


def test_positions_and_seconds_have_limits(monkeypatch):
    require_position((0.0, -999_999.0, 3.0), name="c-1")
    assert reason(require_position, (0.0, 1e300, 3.0)) == "invalid_geometry"
    assert reason(require_position, (0.0, float("nan"), 3.0)) == "invalid_geometry"
    monkeypatch.setenv("LESIONFLOW_MAX_STUDY_SECONDS", "60")
    require_seconds(60, name="c-1", what="the network")
    assert reason(require_seconds, 61, what="the network") == "time_budget"
