"""The receiver as a process, by dcmtk's sender: what was answered for is there after a kill, once; who is not named gets nothing."""

import gc
import os
import random
import shutil
import signal
import socket
import subprocess
import threading

import pydicom
import pytest
from pynetdicom import AE

from lesionflow.pacs.delivery import deliver
from lesionflow.pacs.network_config import Destination, TlsFiles, read_network_config
from lesionflow.pacs.orders import OrderBook, OrderState
from support.dicom_factory import write_series
from support.pacs_peers import archive, fake_service, free_port, program, receiver, store, wait_for, write_config

#: pynetdicom leaves the sockets of senders whose receiver was killed to be collected: that is done within this module.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
RULE = {
    "name": "ct",
    "series": [{"modality": "CT", "min_slices": 3}],
    "formats": ["dicom-seg"],
    "destinations": ["archive"],
}


@pytest.fixture
def series(tmp_path):
    return write_series(tmp_path / "series", shape=(6, 16, 24))


@pytest.fixture
def site(tmp_path, series):
    """A service that answers with an object, an archive, and a receiver's file."""
    result = tmp_path / "result.dcm"
    shutil.copy(series.paths[0], result)
    data = pydicom.dcmread(result)
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4.5"
    data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    data.save_as(result)
    ports = free_port(), free_port()
    with fake_service({"dicom-seg": result.read_bytes()}) as service, archive(tmp_path / "archive", ports[1]) as stored:
        config = write_config(
            tmp_path / "site",
            listen={"port": ports[0], "max_object_mb": 1, "timeout_s": 5.0, "min_free_mb": 0},
            peers=[{"ae_title": "SENDER", "addresses": ["127.0.0.1"]}, {"ae_title": "ELSEWHERE", "addresses": ["10.1.2.3"]}],
            destinations={"archive": {"ae_title": "ARCHIVE", "host": "127.0.0.1", "port": ports[1]}},
            rules=[{**RULE, "service": {"url": service.url}}],
            quiet_s=1.0, broken_quiet_s=3.0,
        )  # fmt: skip
        yield config, ports[0], service, stored
    gc.collect()


def kept(config):
    return list((config.parent / "spool" / "studies").glob("*/*.dcm"))


def ended(config):
    return OrderBook(read_network_config(config).spool / "orders").all_done()


def test_a_study_is_handed_in_and_its_result_stored_once_though_it_is_sent_twice(site, series):
    config, port, service, stored = site
    with receiver(config, port):
        echo = [program("echoscu"), "-aet", "SENDER", "-aec", "LESIONFLOW", "127.0.0.1", str(port)]
        assert subprocess.run(echo, check=False).returncode == 0
        for _ in range(2):
            assert store(series.paths, port).returncode == 0
            wait_for(lambda: ended(config) and not kept(config))
        (order,) = ended(config)
    assert order.state is OrderState.DONE
    assert order.sent == ("archive/dicom-seg",)
    assert [len(names) for names in service.studies.values()] == [6]
    assert service.requests.count("POST") == 1
    (one,) = stored.iterdir()
    assert pydicom.dcmread(one).SOPInstanceUID == "1.2.3.4.5"
    log = (
        b"".join(path.read_bytes() for path in config.parent.glob("*.log"))
        + (config.parent / "spool/orders/done" / f"{order.id}.json").read_bytes()
    )
    told = pydicom.dcmread(series.paths[0])
    for word in (str(told.PatientName), told.PatientID, told.StudyInstanceUID):
        assert word.encode() not in log


def test_after_a_kill_amid_an_association_nothing_that_was_answered_for_is_lost_and_nothing_is_done_twice(site, series):
    config, port, service, stored = site
    with receiver(config, port) as process:
        sender = AE(ae_title="SENDER")
        sender.add_requested_context(
            pydicom.uid.CTImageStorage, pydicom.dcmread(series.paths[0]).file_meta.TransferSyntaxUID
        )
        association = sender.associate("127.0.0.1", port, ae_title="LESIONFLOW")
        for path in series.paths[:4]:
            assert association.send_c_store(path).Status == 0
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        association.abort()
    assert len(kept(config)) == 4
    with receiver(config, port):
        assert store(series.paths[4:], port).returncode == 0
        wait_for(lambda: ended(config))
    assert [len(names) for names in service.studies.values()] == [6]
    assert len(list(stored.iterdir())) == 1


def test_a_study_that_was_half_sent_waits_longer_and_is_then_told_by_the_service(site, series):
    config, port, service, _ = site
    service.state, service.code = "failed", "irregular_spacing"
    with receiver(config, port):
        sender = AE(ae_title="SENDER")
        sender.add_requested_context(
            pydicom.uid.CTImageStorage, pydicom.dcmread(series.paths[0]).file_meta.TransferSyntaxUID
        )
        association = sender.associate("127.0.0.1", port, ae_title="LESIONFLOW")
        for path in series.paths[:4]:
            assert association.send_c_store(path).Status == 0
        association.abort()
        wait_for(lambda: ended(config))
    (order,) = ended(config)
    assert (order.state, order.error) == (OrderState.FAILED, "irregular_spacing")


@pytest.mark.parametrize(
    ("calling", "called"),
    [("STRANGER", "LESIONFLOW"), ("ELSEWHERE", "LESIONFLOW"), ("SENDER", "OTHER"), ("../../SENDER", "LESIONFLOW")],
)
def test_who_is_not_named_or_calls_from_elsewhere_leaves_nothing(site, series, calling, called):
    config, port, _, _ = site
    with receiver(config, port):
        assert store(series.paths[:1], port, calling=calling, called=called).returncode != 0
        assert kept(config) == []
        assert store(series.paths[:1], port).returncode == 0
        assert len(kept(config)) == 1


def changed(path, target, change):
    data = pydicom.dcmread(path)
    change(data)
    data.save_as(target)
    return target


def test_hostile_objects_leave_nothing_and_the_next_is_taken(site, series, tmp_path):
    config, port, _, _ = site

    # A UID of as many characters that is a path.
    uid = series.study_uid.encode()
    hostile = tmp_path / "path.dcm"
    hostile.write_bytes(series.paths[1].read_bytes().replace(uid + b"\0", b"../x".ljust(len(uid), b"/") + b"\0"))

    def set_large(data):
        data.add_new(0x00091001, "OB", b"\0" * 2_000_000)

    with receiver(config, port):
        assert store([changed(series.paths[0], tmp_path / "large.dcm", set_large)], port).returncode != 0
        done = store([hostile], port, options=["-v"])
        assert "CannotUnderstand" in done.stderr
        text = changed(
            series.paths[2],
            tmp_path / "text.dcm",
            lambda data: setattr(data, "PatientName", "<script>alert(1)</script>^\x1b[31m"),
        )
        assert store([text], port).returncode == 0
        assert len(kept(config)) == 1
        assert not list(tmp_path.rglob("x"))
    log = b"".join(path.read_bytes() for path in config.parent.glob("*.log"))
    assert b"script" not in log
    assert b"\x1b" not in log


def test_what_nobody_can_decode_is_not_taken(site, series):
    config, port, _, _ = site
    with receiver(config, port):
        for sop_class, syntax in (
            (pydicom.uid.CTImageStorage, pydicom.uid.MPEG2MPML),
            (pydicom.uid.EncapsulatedPDFStorage, pydicom.uid.ExplicitVRLittleEndian),
        ):
            sender = AE(ae_title="SENDER")
            sender.add_requested_context(sop_class, syntax)
            association = sender.associate("127.0.0.1", port, ae_title="LESIONFLOW")
            assert association.accepted_contexts == []
            association.abort()


def test_bytes_that_are_no_association_harm_nobody(site, series):
    config, port, _, _ = site
    with receiver(config, port):
        for content in (b"GET / HTTP/1.1\r\n\r\n", b"\x01\x00\xff\xff\xff\xff" + b"A" * 4096, bytes(range(256)) * 64):
            with socket.create_connection(("127.0.0.1", port), timeout=5) as one:
                one.sendall(content)
        assert store(series.paths[:1], port).returncode == 0


def test_two_receivers_do_not_share_a_spool(site):
    config, port, _, _ = site
    with receiver(config, port), pytest.raises(AssertionError, match="another runs on"), receiver(config, port):
        pass


def test_a_connection_from_where_no_peer_is_is_closed(site, series):
    config, port, _, _ = site
    other = write_config(
        config.parent / "other",
        listen={"port": port, "min_free_mb": 0},
        peers=[{"ae_title": "SENDER", "addresses": ["10.1.2.0/24"]}],
    )
    with receiver(other, port):
        assert store(series.paths[:1], port).returncode != 0
    assert kept(other) == []


def certificate(folder, name):
    """A key and the certificate that it signed itself, as PEM files."""
    key, made = folder / f"{name}.key", folder / f"{name}.pem"
    subprocess.run(
        [program("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", made], check=True, capture_output=True,
    )  # fmt: skip
    return key, made


def test_by_tls_each_side_shows_who_it_is(site, series, tmp_path):
    _, port, _, _ = site
    (key, ours), (their_key, theirs), (strange_key, strange) = (
        certificate(tmp_path, name) for name in ("ours", "theirs", "strange")
    )
    secure = write_config(
        tmp_path / "secure",
        listen={
            "port": port,
            "min_free_mb": 0,
            "timeout_s": 5.0,
            "tls": {"certificate": str(ours), "key": str(key), "authorities": str(theirs)},
        },
        peers=[{"ae_title": "SENDER", "addresses": ["127.0.0.1"]}],
    )
    with receiver(secure, port):
        for one, other in ((strange_key, strange), (None, None)):
            options = () if one is None else ("+tls", str(one), str(other), "+cf", str(ours))
            assert store(series.paths[:1], port, options=options).returncode != 0
        assert kept(secure) == []
        assert (
            store(series.paths[:1], port, options=("+tls", str(their_key), str(theirs), "+cf", str(ours))).returncode
            == 0
        )
        assert len(kept(secure)) == 1
        # Ours as the sender, to a receiver that is ours.
        place = Destination(
            ae_title="LESIONFLOW", host="127.0.0.1", port=port,
            tls=TlsFiles(certificate=theirs, key=their_key, authorities=ours),
        )  # fmt: skip
        plain = tmp_path / "plain.dcm"
        data = pydicom.dcmread(series.paths[1])
        data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        data.save_as(plain)
        deliver(plain, place, "SENDER")
        assert len(kept(secure)) == 2


@pytest.mark.parametrize("n_before", range(1, 6))
def test_killed_after_any_number_of_objects_the_study_is_done_once_and_whole(site, series, n_before):
    """The sender goes on where it was answered last: what it was told is kept must be."""
    config, port, service, stored = site
    syntax = pydicom.dcmread(series.paths[0]).file_meta.TransferSyntaxUID
    with receiver(config, port) as process:
        sender = AE(ae_title="SENDER")
        sender.add_requested_context(pydicom.uid.CTImageStorage, syntax)
        association = sender.associate("127.0.0.1", port, ae_title="LESIONFLOW")
        for path in series.paths[:n_before]:
            assert association.send_c_store(path).Status == 0
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        association.abort()
    with receiver(config, port) as process:
        assert store(series.paths[n_before:], port).returncode == 0
        wait_for(lambda: service.requests)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    with receiver(config, port):
        wait_for(lambda: ended(config))
    assert [len(names) for names in service.studies.values()] == [6]
    assert {pydicom.dcmread(path).SOPInstanceUID for path in stored.iterdir()} == {"1.2.3.4.5"}


@pytest.mark.skipif("LESIONFLOW_TEST_WHOLE" not in os.environ, reason="20 runs, five minutes: LESIONFLOW_TEST_WHOLE=1")
@pytest.mark.parametrize("seed", range(20))
def test_killed_at_any_moment_again_and_again_the_study_is_done_once(site, series, seed):
    config, port, service, stored = site
    moments = random.Random(seed)
    for _ in range(6):
        with receiver(config, port) as process:
            killer = threading.Timer(moments.uniform(0.0, 3.0), process.kill)
            killer.start()
            if not ended(config) and not service.studies:
                # A sender that was cut off begins again from the start.
                store(series.paths, port)
            process.wait(20)
            killer.join()
    with receiver(config, port):
        if not service.studies:
            store(series.paths, port)
        (order,) = wait_for(lambda: ended(config))
    assert order.state is OrderState.DONE
    assert [len(names) for names in service.studies.values()] == [6]
    assert {pydicom.dcmread(path).SOPInstanceUID for path in stored.iterdir()} == {"1.2.3.4.5"}
