"""Objects at dcmtk's archive."""

import gc

import pydicom
import pytest

from lesionflow.errors import ServiceError
from lesionflow.pacs.delivery import deliver
from lesionflow.pacs.network_config import Destination
from support.hand_made import hand_made_prediction
from support.pacs_peers import archive, free_port


@pytest.mark.parametrize("output_format", ["dicom-seg", "rtstruct", "dicom-sr"])
def test_each_kind_of_result_arrives_as_it_was(tmp_path, output_format):
    prediction = hand_made_prediction(tmp_path / "study")
    path = tmp_path / "m.dcm"
    prediction.write(path, output_format)
    port = free_port()
    with archive(tmp_path / "stored", port) as stored:
        deliver(path, Destination(ae_title="ANY", host="127.0.0.1", port=port), "LESIONFLOW")
        (one,) = stored.iterdir()
        assert pydicom.dcmread(one) == pydicom.dcmread(path)


#: pynetdicom leaves the socket of a connection that was refused to be collected.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_an_archive_that_is_not_there_is_named(tmp_path):
    prediction = hand_made_prediction(tmp_path / "study")
    prediction.write(tmp_path / "m.dcm", "dicom-seg")
    with pytest.raises(ServiceError, match="does not answer"):
        deliver(tmp_path / "m.dcm", Destination(ae_title="ANY", host="127.0.0.1", port=free_port()), "LESIONFLOW")
    gc.collect()
