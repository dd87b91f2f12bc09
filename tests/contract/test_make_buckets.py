"""The script that makes the object store's buckets, asked of an S3 that moto serves on loopback."""

import importlib.util
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

boto3 = pytest.importorskip("boto3")
moto_server = pytest.importorskip("moto.server")

SCRIPT = Path(__file__).resolve().parents[2] / "manifests" / "base" / "make_buckets.py"


@pytest.fixture
def make_buckets(monkeypatch):
    spec = importlib.util.spec_from_file_location("make_buckets", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "PAUSE_S", 0.05)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    return module


@pytest.fixture
def store(monkeypatch):
    server = moto_server.ThreadedMotoServer("127.0.0.1", port=0)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
    yield address
    server.stop()


def test_buckets_are_made_once_and_what_lies_in_them_stays(make_buckets, store, capsys):
    make_buckets.main(["mlflow", "dvc"])
    client = boto3.client("s3", endpoint_url=store)
    client.put_object(Bucket="mlflow", Key="a/b", Body=b"kept")
    make_buckets.main(["mlflow", "dvc", "state"])
    assert {bucket["Name"] for bucket in client.list_buckets()["Buckets"]} >= {"mlflow", "dvc", "state"}
    assert client.get_object(Bucket="mlflow", Key="a/b")["Body"].read() == b"kept"
    assert capsys.readouterr().out.splitlines()[-1] == "bucket state: there"


def answers(*answered):
    """Serve these (status, code of S3) in turn, the last one for ever."""
    left = list(answered)

    class Store(BaseHTTPRequestHandler):
        def do_PUT(self):
            status, code = left.pop(0) if len(left) > 1 else left[0]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(f"<Error><Code>{code}</Code></Error>".encode() if code else b"")

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Store)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, left


def test_a_store_that_is_not_up_yet_is_waited_for_and_a_bucket_that_is_there_is_well(make_buckets, monkeypatch):
    server, left = answers((503, "ServiceUnavailable"), (500, "InternalError"), (409, "BucketAlreadyOwnedByYou"))
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{server.server_port}")
    make_buckets.main(["mlflow"])
    server.shutdown()
    server.server_close()
    assert len(left) == 1


def test_a_refusal_is_told_by_its_code_and_not_tried_again(make_buckets, monkeypatch):
    server, _ = answers((403, "SignatureDoesNotMatch"))
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{server.server_port}")
    with pytest.raises(SystemExit, match="refused bucket mlflow: SignatureDoesNotMatch"):
        make_buckets.main(["mlflow"])
    server.shutdown()
    server.server_close()


def test_it_gives_up_by_name(make_buckets, monkeypatch):
    with socket.socket() as shut:
        shut.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{shut.getsockname()[1]}")
        monkeypatch.setattr(make_buckets, "WAIT_S", 0.1)
        with pytest.raises(SystemExit, match="did not answer"):
            make_buckets.main(["mlflow"])
