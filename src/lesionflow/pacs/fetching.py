"""A study fetched from a PACS by DICOMweb, laid where the receiver takes it up as if it had been sent."""

import uuid
from pathlib import Path

from lesionflow.errors import ConfigError, ServiceError
from lesionflow.io.dicom.arriving.instance_header import LONGEST_UID, UID_PATTERN
from lesionflow.pacs.dicomweb import DicomWeb
from lesionflow.pacs.network_config import Destination, NetworkConfig
from lesionflow.pacs.orders import sync_folder

FETCHED = "fetched"


def fetch_study(config: NetworkConfig, place: Destination, study: str, folder: Path) -> int:
    """Fetch a study and leave it to the receiver.

    Args:
        config: The whole file.
        place: A PACS with a `url`.
        study: Its Study Instance UID.
        folder: An empty folder on the spool's disk.

    Returns:
        How many objects came.

    Raises:
        ConfigError: When the place has no URL, or the UID is none.
        ServiceError: When the PACS does not answer, or has no such study.
    """
    if place.url is None:
        raise ConfigError("Expected a destination with a `url` to fetch from, found one of another kind.")
    if len(study) > LONGEST_UID or not UID_PATTERN.fullmatch(study):
        raise ConfigError("Expected --study to be a Study Instance UID, found another text.")
    server, n = DicomWeb(place.url, place.password_file), 0
    for number, series in enumerate(server.find_series(study)):
        if not UID_PATTERN.fullmatch(series):
            raise ServiceError("Expected UIDs of series of the DICOMweb server, found other text.")
        own = folder / f"{number:04d}"
        own.mkdir()
        for path in server.fetch_series(study, series, own):
            path.rename(folder / f"{number:04d}-{path.name}")
            n += 1
        own.rmdir()
    if not n:
        raise ServiceError("Expected the study at the DICOMweb server, found none of this UID.")
    target = config.spool / FETCHED
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = target / f".{uuid.uuid4().hex}"
    made.mkdir()
    for path in folder.iterdir():
        path.rename(made / path.name)
    made.rename(target / made.name[1:])
    sync_folder(target)
    return n
