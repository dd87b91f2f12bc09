"""The envelope as DSSE and in-toto say it is, and no byte of it that could be another."""

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from lesionflow.io.signing.envelope import pre_authentication_encoding, read_envelope, write_envelope
from lesionflow.io.signing.keys import make_keys

SUBJECTS, FACTS = {"b/two": "22" * 32, "one": "11" * 32}, {"plan_sha256": "33" * 32, "run_id": ""}


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    return make_keys(tmp_path_factory.mktemp("keys") / "team")


def test_another_reader_of_dsse_and_in_toto_finds_files_facts_and_a_signature_that_holds(key):
    content = write_envelope(SUBJECTS, FACTS, key)
    envelope = json.loads(content)
    payload = base64.standard_b64decode(envelope["payload"])
    # DSSE 1.0: "DSSEv1" SP LEN(type) SP type SP LEN(body) SP body.
    kind = envelope["payloadType"]
    signed = f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload
    assert pre_authentication_encoding(payload) == signed
    (signature,) = envelope["signatures"]
    Ed25519PublicKey.from_public_bytes(key.public_bytes).verify(base64.standard_b64decode(signature["sig"]), signed)
    statement = json.loads(payload)
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert {one["name"]: one["digest"]["sha256"] for one in statement["subject"]} == SUBJECTS
    assert statement["predicate"] | FACTS == statement["predicate"]
    assert read_envelope(content) == (SUBJECTS, FACTS, key.key_id)
    assert content == write_envelope(SUBJECTS, FACTS, key)


@pytest.mark.parametrize("signed", [True, False])
def test_no_byte_can_be_another_where_it_is_signed_and_none_of_the_form_where_it_is_not(key, signed):
    content = write_envelope(SUBJECTS, FACTS, key if signed else None)
    passed = []
    for place in range(len(content)):
        flipped = bytearray(content)
        flipped[place] ^= 1
        try:
            found = read_envelope(bytes(flipped))
        except (ValueError, RecursionError):
            continue
        passed.append(found)
    # Without a signature, what it says may be another: files and card are compared with it afterwards.
    assert (passed == []) == signed
    assert all(found[:2] != (SUBJECTS, FACTS) for found in passed)


def test_a_signature_of_another_key_or_none_in_place_of_one_is_refused(key, tmp_path):
    other = make_keys(tmp_path / "other")
    ours, theirs = (json.loads(write_envelope(SUBJECTS, FACTS, one)) for one in (key, other))
    for signatures in (theirs["signatures"], [], ours["signatures"] * 2):
        with pytest.raises(ValueError, match="another key"):
            read_envelope((json.dumps({**ours, "signatures": signatures}, indent=1) + "\n").encode())
    renamed = [{**theirs["signatures"][0], "keyid": key.key_id}]
    with pytest.raises(ValueError, match="not of the key"):
        read_envelope((json.dumps({**ours, "signatures": renamed}, indent=1) + "\n").encode())


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{}", b'{"payload": 1}', b"[" * 10_000, b"\x80\x04pickle"])
def test_what_is_no_envelope_is_refused(content):
    with pytest.raises((ValueError, RecursionError)):
        read_envelope(content)
