"""One bundle, one study and one running application for all tests of the service."""

import pytest

from lesionflow.config import Settings
from lesionflow.phantoms import write_phantoms
from lesionflow.serving.api import create_app
from lesionflow.serving.settings import ServiceSettings
from support.served_models import write_untrained_bundle
from support.service_client import TestClient, wait_until_ready
from support.zipped_folders import zip_of_folder


@pytest.fixture(scope="session")
def bundle_folder(tmp_path_factory):
    return write_untrained_bundle(tmp_path_factory.mktemp("model") / "bundle", {"CT": "ct", "PET": "pet"})


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    """The folder of a CT and PET study as real DICOM, CT on a finer grid than PET."""
    root = tmp_path_factory.mktemp("phantoms")
    truth = write_phantoms(root, n_cases=1, seed=11, modality="petct", file_format="dicom", outlines="rtstruct")
    return root / truth[0].study


@pytest.fixture(scope="session")
def study_zip(study):
    return zip_of_folder(study, study.parent)


@pytest.fixture(scope="session")
def make_client(bundle_folder):
    """Start the application in this process; its own threads and event loop are those of the server."""

    def start(**limits):
        service = ServiceSettings(model=str(bundle_folder), **limits)
        return TestClient(create_app(service, Settings(device="cpu")), raise_server_exceptions=False)

    return start


@pytest.fixture(scope="session")
def client(make_client):
    with make_client() as running:
        wait_until_ready(running)
        yield running
