"""What every output format says of itself."""

import pytest

from lesionflow.prediction.writer import Writer


@pytest.mark.parametrize(
    ("file_name", "suffix"), [("mask.dcm", ".dcm"), ("mask.nii.gz", ".nii.gz"), ("overlay.png", ".png")]
)
def test_a_suffix_is_all_that_follows_the_first_dot(file_name, suffix):
    assert Writer("x", "", "x/y", (), file_name, lambda *_: None).suffix == suffix
