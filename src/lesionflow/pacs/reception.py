"""The receiver: C-ECHO and C-STORE (PS3.4 annexes A and B) of images, from peers that are named alone, in bounds."""

import logging
import ssl
import tempfile
from pathlib import Path
from typing import Any

from pynetdicom import AE, _config, evt
from pynetdicom.transport import ThreadedAssociationServer

from lesionflow.errors import DicomError
from lesionflow.io.dicom.arriving.instance_header import read_instance_header
from lesionflow.machine.faults import machine_fault
from lesionflow.pacs.network_config import BYTES_PER_MB, Listening, NetworkConfig, TlsFiles
from lesionflow.pacs.spool import Spool

#: Images of CT, MR and PET, and their enhanced, legacy converted forms: what studies are read from.
IMAGES = (
    "1.2.840.10008.5.1.4.1.1.2",
    "1.2.840.10008.5.1.4.1.1.2.1",
    "1.2.840.10008.5.1.4.1.1.2.2",
    "1.2.840.10008.5.1.4.1.1.4",
    "1.2.840.10008.5.1.4.1.1.4.1",
    "1.2.840.10008.5.1.4.1.1.4.4",
    "1.2.840.10008.5.1.4.1.1.128",
    "1.2.840.10008.5.1.4.1.1.128.1",
    "1.2.840.10008.5.1.4.1.1.130",
)
VERIFICATION = "1.2.840.10008.1.1"
#: What `io.dicom` decodes: plain, RLE, JPEG, JPEG-LS and JPEG 2000, each without loss.
TRANSFER_SYNTAXES = [
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.5",
    "1.2.840.10008.1.2.4.57",
    "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.4.90",
]
#: PS3.7 annex C and PS3.4 B.2.3.
SUCCESS, NOT_AUTHORIZED, NO_RESOURCES, NOT_OF_ITS_CLASS, NOT_UNDERSTOOD = 0x0000, 0x0124, 0xA700, 0xA900, 0xC000
logger = logging.getLogger(__name__)


class Reception:
    """Receives objects into a spool.

    Args:
        config: Who may send, and how much.
        spool: Where objects go.
    """

    def __init__(self, config: NetworkConfig, spool: Spool) -> None:
        self._config, self._listen, self._spool = config, config.listen, spool
        #: Bytes of the message that each association is sending.
        self._received: dict[int, int] = {}
        # Whole objects are not held in memory, and lie on the disk where they are counted.
        _config.STORE_RECV_CHUNKED_DATASET = True
        tempfile.tempdir = str(spool.receiving)
        self._server: ThreadedAssociationServer | None = None

    @property
    def port(self) -> int:
        """The port that it listens on."""
        if self._server is None:
            raise RuntimeError("the receiver was not started")
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begin to listen, in threads of its own."""
        listen, entity = self._listen, AE(ae_title=self._listen.ae_title)
        entity.add_supported_context(VERIFICATION)
        for sop_class in IMAGES:
            entity.add_supported_context(sop_class, TRANSFER_SYNTAXES)
        entity.require_called_aet = True
        # None is allowed where nobody is named: an empty list would let everybody in.
        entity.require_calling_aet = [peer.ae_title for peer in self._config.peers] or ["\x7f"]
        entity.maximum_associations = listen.max_associations
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = listen.timeout_s
        handlers: list[Any] = [
            (evt.EVT_CONN_OPEN, self._on_connected),
            (evt.EVT_ACCEPTED, self._on_accepted),
            (evt.EVT_PDU_RECV, self._on_pdu),
            (evt.EVT_DIMSE_RECV, self._on_message),
            (evt.EVT_C_ECHO, self._on_echo),
            (evt.EVT_C_STORE, self._on_store),
            (evt.EVT_RELEASED, self._on_released),
            (evt.EVT_ABORTED, self._on_cut_off),
            (evt.EVT_CONN_CLOSE, self._on_cut_off),
        ]
        context = None if listen.tls is None else tls_context(listen.tls, server=True)
        self._server = entity.start_server(
            (listen.host, listen.port), block=False, ssl_context=context, evt_handlers=handlers
        )

    def stop(self) -> None:
        """Listen no more, and cut off what is open."""
        if self._server is not None:
            self._server.shutdown()

    def _is_peer(self, association: Any) -> bool:
        title, address = str(association.requestor.ae_title).strip(), str(association.requestor.address)
        return any(peer.ae_title == title and peer.is_at(address) for peer in self._config.peers)

    def _on_connected(self, event: Any) -> None:
        address = str(event.address[0])
        if not any(peer.is_at(address) for peer in self._config.peers):
            logger.warning("a connection from %s is refused: no peer is there", address)
            event.assoc.dul.socket.close()

    def _on_accepted(self, event: Any) -> None:
        if not self._is_peer(event.assoc):
            logger.warning(
                "an association from %s is cut off: the peer of its name is elsewhere", event.assoc.requestor.address
            )
            event.assoc.abort()

    def _on_pdu(self, event: Any) -> None:
        number = id(event.assoc)
        n_bytes = sum(
            len(item.presentation_data_value) for item in getattr(event.pdu, "presentation_data_value_items", ())
        )
        self._received[number] = self._received.get(number, 0) + n_bytes
        if self._received[number] > self._listen.max_object_mb * BYTES_PER_MB:
            self._received[number] = 0
            logger.warning("an association is cut off: an object is larger than %d MB", self._listen.max_object_mb)
            event.assoc.abort()

    def _on_message(self, event: Any) -> None:
        self._received[id(event.assoc)] = 0

    def _on_echo(self, event: Any) -> int:
        return SUCCESS if self._is_peer(event.assoc) else NOT_AUTHORIZED

    def _on_store(self, event: Any) -> int:
        if not self._is_peer(event.assoc):
            return NOT_AUTHORIZED
        if not self._spool.has_room:
            logger.warning("an object is refused: the disk is full")
            return NO_RESOURCES
        path = Path(event.dataset_path)
        try:
            header = read_instance_header(path)
            told = str(event.request.AffectedSOPClassUID), str(event.request.AffectedSOPInstanceUID)
            if told != (header.sop_class, header.sop_instance):
                logger.warning("an object is refused: it is another than was announced")
                return NOT_OF_ITS_CLASS
            return SUCCESS if self._spool.keep(path, header, id(event.assoc)) else NO_RESOURCES
        except DicomError as error:
            logger.warning("an object is refused: %s", error)
            return NOT_UNDERSTOOD
        except Exception as error:
            # Whatever the cause, nobody may be told that it was kept.
            logger.exception("an object could not be kept")
            return NO_RESOURCES if machine_fault(error) else NOT_UNDERSTOOD

    def _on_released(self, event: Any) -> None:
        self._spool.released(id(event.assoc), whole=True)

    def _on_cut_off(self, event: Any) -> None:
        self._received.pop(id(event.assoc), None)
        self._spool.released(id(event.assoc), whole=False)


def tls_context(files: TlsFiles, *, server: bool) -> ssl.SSLContext:
    """Return what both sides of a connection prove themselves by: TLS 1.2 or later, each with a certificate (BCP 195, PS3.15 B.12)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(files.certificate, files.key)
    context.load_verify_locations(files.authorities)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def is_listening(listen: Listening) -> str:
    """Say where a receiver listens, in a line for its log."""
    return f"{listen.ae_title} at {listen.host}:{listen.port}{' (TLS)' if listen.tls else ''}"
