import pytest

from support import dicom_factory as factory


@pytest.fixture
def dicom_factory(tmp_path):
    """Writes one series into `<tmp_path>/study/CT`; arguments as `support.dicom_factory.write_series`."""

    def write(**values):
        return factory.write_series(tmp_path / "study" / "CT", modality="CT", **values)

    return write
