import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from lesionflow.errors import ArtifactError, ServiceError
from lesionflow.io.exchange.pretrained_weights import download_weights, read_weights

WEIGHTS = {"conv1.weight": torch.arange(24.0).reshape(2, 3, 2, 2), "bn1.num_batches_tracked": torch.tensor(7)}


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def server(tmp_path):
    folder = tmp_path / "www"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "content", [WEIGHTS, {"state_dict": {f"module.{k}": v for k, v in WEIGHTS.items()}, "epoch": 3}]
)
def test_torchs_files_are_read_bare_or_as_medicalnet_wraps_them(tmp_path, content):
    path = tmp_path / "weights.pth"
    torch.save(content, path)
    found = read_weights(path, sha256(path)[:8])
    assert found.keys() == WEIGHTS.keys()
    assert all(torch.equal(found[name], WEIGHTS[name]) for name in WEIGHTS)


def test_safetensors_are_read(tmp_path):
    save_file(WEIGHTS, tmp_path / "weights.safetensors")
    assert torch.equal(read_weights(tmp_path / "weights.safetensors", "")["conv1.weight"], WEIGHTS["conv1.weight"])


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda path: path.write_bytes(b"no weights"), "Expected weights .*in weights.pth"),
        (lambda path: torch.save({"code": Path("/")}, path), "objects or code besides tensors"),
        (lambda path: torch.save({"epoch": 3}, path), "by name"),
        (lambda path: None, "Expected a file of weights"),
    ],
)
def test_what_is_no_weights_is_refused_and_runs_no_code(tmp_path, write, words):
    path = tmp_path / "weights.pth"
    write(path)
    with pytest.raises(ArtifactError, match=words):
        read_weights(path, "")


def test_a_file_of_another_hash_is_refused(tmp_path):
    path = tmp_path / "weights.pth"
    torch.save(WEIGHTS, path)
    with pytest.raises(ArtifactError, match=r"sha256 00000000, found"):
        read_weights(path, "00000000")


def test_a_file_is_fetched_once_and_checked(server, tmp_path):
    folder, address = server
    torch.save(WEIGHTS, folder / "weights.pth")
    hashed, cache = sha256(folder / "weights.pth"), tmp_path / "cache"
    path = download_weights(f"{address}/weights.pth", hashed[:12], cache)
    assert sha256(path) == hashed
    (folder / "weights.pth").unlink()
    assert download_weights(f"{address}/weights.pth", hashed[:12], cache) == path


def test_a_fetched_file_of_another_hash_leaves_nothing_behind(server, tmp_path):
    folder, address = server
    (folder / "weights.pth").write_bytes(b"something else")
    with pytest.raises(ArtifactError, match="another file, or a broken one"):
        download_weights(f"{address}/weights.pth", "12345678", tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_without_a_network_the_message_says_what_to_do(tmp_path):
    with pytest.raises(ServiceError, match=r"fetch the file elsewhere and set train.transfer.source"):
        download_weights("http://127.0.0.1:9/weights.pth", "12345678", tmp_path)


@pytest.mark.parametrize(
    ("url", "hashed", "words"), [("https://x/y", "", "unchecked"), ("ftp://x/y", "12345678", "begins")]
)
def test_unchecked_and_odd_addresses_are_refused(tmp_path, url, hashed, words):
    with pytest.raises(ArtifactError, match=words):
        download_weights(url, hashed, tmp_path)
