import threading
import uuid

import pytest

from lesionflow.errors import ConfigError, ServiceError
from lesionflow.io.project_store.places import FolderPlace, ObjectPlace, open_place, require_exclusive


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
    assert not place.has("a/b")
    place.put("a/b", source)
    place.put("a/c/d", source)
    place.fetch("a/b", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == place.read("a/c/d") == source.read_bytes()
    assert place.has("a/b")
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
