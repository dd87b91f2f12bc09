"""Results on their way: C-STORE to a PACS, or STOW-RS to one that speaks DICOMweb."""

from pathlib import Path

from pynetdicom import AE

from lesionflow.errors import ServiceError
from lesionflow.io.dicom.arriving.instance_header import read_instance_header
from lesionflow.pacs.dicomweb import DicomWeb
from lesionflow.pacs.network_config import Destination
from lesionflow.pacs.reception import tls_context

TIMEOUT_S = 60.0
EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"


def deliver(path: Path, destination: Destination, ae_title: str) -> None:
    """Store an object at a destination; one that is there already stays one object, as its UID is the same.

    Args:
        path: A DICOM file.
        destination: Where.
        ae_title: What this side calls itself.

    Raises:
        ServiceError: When it was not stored.
    """
    if destination.url is not None:
        DicomWeb(destination.url, destination.password_file).store([path])
        return
    if destination.ae_title is None or destination.host is None or destination.port is None:
        raise RuntimeError("a destination without an address was let through")
    header = read_instance_header(path)
    entity = AE(ae_title=ae_title)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = TIMEOUT_S
    entity.connection_timeout = TIMEOUT_S / 4
    entity.add_requested_context(header.sop_class, EXPLICIT_LITTLE_ENDIAN)
    tls = None if destination.tls is None else (tls_context(destination.tls, server=False), destination.host)
    where = f"{destination.ae_title} at {destination.host}:{destination.port}"
    association = entity.associate(destination.host, destination.port, ae_title=destination.ae_title, tls_args=tls)
    if not association.is_established:
        why = "refuses the association" if association.is_rejected else "does not answer"
        raise ServiceError(f"Expected {where} to take an association, found that it {why}. Does it know {ae_title}?")
    try:
        if not association.accepted_contexts:
            raise ServiceError(
                f"Expected {where} to take objects of the class {header.sop_class}, found that it does not."
            )
        status = association.send_c_store(path)
    finally:
        association.release()
    code = status.get("Status") if status else None
    # Warnings say that it was stored (PS3.4 B.2.3).
    if code is None or not (code == 0 or code & 0xF000 == 0xB000):
        told = "no answer" if code is None else f"the status 0x{code:04X}"
        raise ServiceError(f"Expected {where} to store an object, found {told}.")
