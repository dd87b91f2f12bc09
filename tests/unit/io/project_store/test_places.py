import errno
import shutil
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from lesionflow.errors import ConfigError, MachineError, ServiceError
from lesionflow.io.project_store.places import FolderPlace, ObjectPlace, open_place, require_exclusive
from lesionflow.io.project_store.store import ProjectStore


@pytest.fixture(scope="module")
def s3():
    """An S3 on loopback, empty, with one bucket."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("AWS_ACCESS_KEY_ID", "testing")
        patched.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patched.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patched.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        pytest.importorskip("boto3").client("s3").create_bucket(Bucket="team")
        yield "s3://team"
    server.stop()


@pytest.fixture(params=["folder", "memory", "s3"])
def place(request, tmp_path):
    if request.param == "s3":
        return open_place(f"{request.getfixturevalue('s3')}/{uuid.uuid4().hex}")
    return open_place(str(tmp_path / "store") if request.param == "folder" else f"memory://{uuid.uuid4().hex}/store")


def test_an_address_says_what_kind_of_place_it_is(tmp_path):
    assert isinstance(open_place(str(tmp_path)), FolderPlace)
    assert isinstance(open_place(f"file://{tmp_path}"), FolderPlace)
    assert isinstance(open_place("memory://a"), ObjectPlace)


def test_bytes_come_back_and_names_are_listed(place, tmp_path):
    source = tmp_path / "source"
    source.write_bytes(b"\0\1" * 5000)
    assert place.read("a/b") is None
    assert place.size("a/b") is None
    place.put("a/b", source)
    place.put("a/c/d", source)
    place.fetch("a/b", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == place.read("a/c/d") == source.read_bytes()
    assert place.size("a/b") is not None
    assert place.names("a") == ["b", "c"]
    assert place.names("nowhere") == []
    place.remove("a/b")
    place.remove("a/b")
    assert place.names("a") == ["c"]
    with pytest.raises(FileNotFoundError):
        place.fetch("a/b", tmp_path / "other")


def test_a_name_is_created_once_and_never_written_over(place):
    assert place.create("x/1", b"first")
    assert not place.create("x/1", b"second")
    assert place.read("x/1") == b"first"
    require_exclusive(place, "x/1")


def test_of_many_who_create_one_name_in_a_folder_one_does(tmp_path):
    place, gate, won = open_place(str(tmp_path)), threading.Barrier(8), []

    def create(number):
        gate.wait()
        if place.create("x", b"%d" % number):
            won.append(number)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [place.read("x")] == [b"%d" % number for number in won]
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_store_that_heeds_no_condition_is_refused():
    class Heedless:
        def read(self, name):
            return b"there"

        def create(self, name, content):
            return True

    with pytest.raises(ServiceError, match="did not heed If-None-Match"):
        require_exclusive(Heedless(), "x")


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("sftp://host/folder", "Mount it as a folder"),
        ("s3://key:SECRET@bucket/x", "without a user"),
        ("s3://b/x?token=SECRET", "query"),
    ],
)
def test_an_address_that_can_not_hold_a_store_is_refused_and_shows_no_secret(address, words):
    with pytest.raises(ConfigError, match=words) as told:
        open_place(address)
    assert "SECRET" not in str(told.value)


@pytest.fixture
def refusing(monkeypatch):
    """A function that starts an S3 which refuses everything by a status and a code; it returns the place."""
    s3fs = pytest.importorskip("s3fs")
    servers = []

    def start(status, code):
        class Refusing(BaseHTTPRequestHandler):
            # By 1.0 it would not answer `Expect: 100-continue`, for which the client waits.
            protocol_version = "HTTP/1.1"

            def do_PUT(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.send_response(status)
                content = f"<Error><Code>{code}</Code><Message>of user SECRET</Message></Error>".encode()
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "testing")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        # It would keep one client for all, with the address that the first was told.
        monkeypatch.setattr(s3fs.S3FileSystem, "cachable", False)
        return open_place(f"s3://team/{uuid.uuid4().hex}")

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "code", "advice"),
    [
        # Ceph, MinIO, Swift's and others' S3; none of them is in S3's own list, so s3fs says EIO of each.
        (403, "QuotaExceeded", "Make room there"),
        (507, "XMinioStorageFull", "Make room there"),
        (507, "InsufficientStorage", "Make room there"),
        (403, "AccessDenied", "its keys in the environment"),
    ],
)
def test_what_an_s3_refuses_is_told_by_its_code_and_is_no_fault_of_this_machine(
    refusing, status, code, advice, tmp_path
):
    place = refusing(status, code)
    (tmp_path / "source").write_text("1")
    for write in (lambda: place.create("x/1", b"1"), lambda: place.put("x/1", tmp_path / "source")):
        with pytest.raises(ServiceError, match=f"refuses: {code}") as told:
            write()
        assert not isinstance(told.value, MachineError)
        assert advice in str(told.value)
        assert "SECRET" not in str(told.value)


@pytest.mark.parametrize(("number", "words"), [(errno.ENOSPC, "room|full|Free space"), (errno.EDQUOT, "quota")])
def test_a_volume_that_is_full_is_named_and_the_last_edition_stays(number, words, tmp_path, monkeypatch):
    store, source = ProjectStore(str(tmp_path / "store")), tmp_path / "source"
    source.mkdir()
    (source / "a").write_text("1")
    first = store.save("cases", source, None)
    (source / "b").write_text("2")

    def full(source, target):
        target.write_text("ha")
        raise OSError(number, "half of it")

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "copyfile", full)
        with pytest.raises(MachineError, match=words) as told:
            store.save("cases", source, first)
    assert told.value.code == "disk_full"
    assert store.latest("cases") == first
    assert not list((tmp_path / "store").rglob(".partial-*"))
    assert store.save("cases", source, first).number == 2
