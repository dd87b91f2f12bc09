"""`test_bundles` says who calls this name."""

from lesionflow.io import nifti
from lesionflow.io.images.nifti import write_mask


def test_it_is_the_writer_of_now():
    assert nifti.write_mask is write_mask
