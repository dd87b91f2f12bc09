"""The table itself; each of its entries is held to `tests/contract/test_output_formats.py`."""

import pytest

from lesionflow.errors import ConfigError
from lesionflow.prediction.writers import find_writer


def test_a_format_is_found_by_its_name_alone():
    assert find_writer("dicom-seg").file_name == "mask.dcm"
    with pytest.raises(ConfigError, match=r"one of the formats dicom-seg, .*nifti.*found 'DICOM-SEG'"):
        find_writer("DICOM-SEG")
