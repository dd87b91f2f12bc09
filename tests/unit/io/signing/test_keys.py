"""Keys as files: what OpenSSL makes is read, and nothing else than an Ed25519 key is taken for one."""

import base64
import hashlib
import shutil
import subprocess

import pytest

from lesionflow.errors import ConfigError
from lesionflow.io.signing.keys import (
    PRIVATE,
    PUBLIC,
    is_signed_by,
    load_signing_key,
    load_trusted_keys,
    make_keys,
    require_signing_key,
)

#: RFC 8032, section 7.1, test 2: secret key and public key; the PKCS 8 header of RFC 8410 before the secret.
SECRET = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"
PUBLIC_RAW = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
SIGNATURE_OF_72 = bytes.fromhex(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)
PKCS8, SPKI = bytes.fromhex("302e020100300506032b657004220420"), bytes.fromhex("302a300506032b6570032100")


def pem(kind, der):
    return f"-----BEGIN {kind} KEY-----\n{base64.b64encode(der).decode()}\n-----END {kind} KEY-----\n"


def test_a_key_signs_as_the_rfc_says_and_is_called_by_its_der(tmp_path):
    (tmp_path / "key.pem").write_text(pem("PRIVATE", PKCS8 + bytes.fromhex(SECRET)))
    key = load_signing_key(tmp_path / "key.pem")
    assert key.public_bytes == PUBLIC_RAW
    assert key.sign(b"\x72") == SIGNATURE_OF_72
    assert key.key_id == hashlib.sha256(SPKI + PUBLIC_RAW).hexdigest()
    assert is_signed_by(PUBLIC_RAW, SIGNATURE_OF_72, b"\x72")
    assert not is_signed_by(PUBLIC_RAW, SIGNATURE_OF_72, b"\x73")
    assert not is_signed_by(b"short", SIGNATURE_OF_72, b"\x72")


def test_a_pair_is_made_once_and_only_its_owner_reads_the_secret(tmp_path, monkeypatch):
    key = make_keys(tmp_path / "team")
    assert (tmp_path / "team" / PRIVATE).stat().st_mode & 0o777 == 0o600
    monkeypatch.setenv("LESIONFLOW_SIGNING_KEY", str(tmp_path / "team" / PRIVATE))
    monkeypatch.setenv("LESIONFLOW_TRUSTED_KEYS", str(tmp_path / "team" / PUBLIC))
    assert load_signing_key().key_id == require_signing_key().key_id == key.key_id
    assert load_trusted_keys() == {key.key_id: key.public_bytes}
    assert (tmp_path / "team" / PRIVATE).read_text().split("\n")[1] not in repr(key)
    with pytest.raises(ConfigError, match="another folder"):
        make_keys(tmp_path / "team")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here")
def test_openssl_makes_keys_that_are_read_and_reads_ours(tmp_path):
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", tmp_path / "a.pem"], check=True)
    theirs = load_signing_key(tmp_path / "a.pem")
    ours = make_keys(tmp_path / "ours")
    (tmp_path / "message").write_bytes(b"hello")
    (tmp_path / "signature").write_bytes(ours.sign(b"hello"))
    command = ["openssl", "pkeyutl", "-verify", "-rawin", "-in", tmp_path / "message", "-pubin"]
    command += ["-sigfile", tmp_path / "signature", "-inkey", tmp_path / "ours" / PUBLIC]
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0
    assert theirs.key_id != ours.key_id


def test_a_folder_of_keys_is_trusted_as_a_whole_and_a_broken_one_among_them_is_no_silent_loss(tmp_path):
    keys = [make_keys(tmp_path / name) for name in ("a", "b")]
    (tmp_path / "all").mkdir()
    for name in ("a", "b"):
        shutil.copy(tmp_path / name / PUBLIC, tmp_path / "all" / f"{name}.pub")
    assert set(load_trusted_keys(tmp_path / "all")) == {key.key_id for key in keys}
    (tmp_path / "all" / "c.pem").write_text("not a key")
    with pytest.raises(ConfigError, match=r"c\.pem"):
        load_trusted_keys(tmp_path / "all")


def test_what_is_no_key_is_refused_by_its_file(tmp_path, monkeypatch):
    monkeypatch.delenv("LESIONFLOW_SIGNING_KEY", raising=False)
    monkeypatch.delenv("LESIONFLOW_TRUSTED_KEYS", raising=False)
    assert load_signing_key() is None
    assert load_trusted_keys() == {}
    with pytest.raises(ConfigError, match="keys new"):
        require_signing_key()
    make_keys(tmp_path / "team")
    rsa = tmp_path / "x25519.pem"
    rsa.write_text(pem("PRIVATE", bytes.fromhex("302e020100300506032b656e04220420") + bytes(range(32))))
    for read, path in (
        (load_signing_key, tmp_path / "none.pem"),
        (load_signing_key, tmp_path / "team" / PUBLIC),
        (load_signing_key, rsa),
        (load_trusted_keys, tmp_path / "team" / PRIVATE),
        (load_trusted_keys, tmp_path / "none"),
    ):
        with pytest.raises(ConfigError, match=path.name):
            read(path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="found none"):
        load_trusted_keys(tmp_path / "empty")
