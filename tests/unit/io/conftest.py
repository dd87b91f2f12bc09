from functools import partial

import pytest

from support import dicom_factory as factory


@pytest.fixture
def dicom_factory(tmp_path):
    """Writes one series into `<tmp_path>/study/<modality>`; arguments as `support.dicom_factory.write_series`."""

    def write(*, modality="CT", folder=None, **values):
        return factory.write_series(folder or tmp_path / "study" / modality, modality=modality, **values)

    return write


@pytest.fixture
def structure_factory(tmp_path):
    return partial(factory.write_rtstruct, tmp_path / "study" / "outlines" / "RS")


@pytest.fixture
def segmentation_factory(tmp_path):
    return partial(factory.write_segmentation, tmp_path / "study" / "outlines" / "SEG")
