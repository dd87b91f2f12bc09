"""A line as DSSE, in-toto and SLSA say it is; signed, no byte of what it says can be another."""

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from lesionflow.io.attestations.statements import Attestation, read_statement, write_statement
from lesionflow.io.signing.keys import make_keys

TOLD = Attestation(
    "plan", {"plan": "11" * 32}, {"splits": "33" * 32, "cases": "22" * 32}, "44" * 32, "abc-dirty", "22" * 32, "0.3", "2026-11-29T10:00:00+00:00", "2026-11-29T10:00:09+00:00",
)  # fmt: skip


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    return make_keys(tmp_path_factory.mktemp("keys") / "team")


def test_another_reader_of_dsse_in_toto_and_slsa_finds_all_of_it_and_a_signature_that_holds(key):
    line = write_statement(TOLD, key)
    assert "\n" not in line
    envelope = json.loads(line)
    payload = base64.standard_b64decode(envelope["payload"])
    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    (signature,) = envelope["signatures"]
    signed = b"DSSEv1 28 application/vnd.in-toto+json %d " % len(payload) + payload
    Ed25519PublicKey.from_public_bytes(key.public_bytes).verify(base64.standard_b64decode(signature["sig"]), signed)
    statement = json.loads(payload)
    assert (statement["_type"], statement["predicateType"]) == (
        "https://in-toto.io/Statement/v1",
        "https://slsa.dev/provenance/v1",
    )
    assert statement["subject"] == [{"name": "plan", "digest": {"sha256": "11" * 32}}]
    definition, details = statement["predicate"]["buildDefinition"], statement["predicate"]["runDetails"]
    # What SLSA 1.0 requires of a predicate.
    assert definition["buildType"].startswith("urn:")
    assert definition["externalParameters"] == {"step": "plan", "params_sha256": "44" * 32}
    assert [one["name"] for one in definition["resolvedDependencies"]] == ["cases", "splits"]
    assert details["builder"]["id"].startswith("urn:")
    assert details["metadata"] == {"startedOn": TOLD.started_on, "finishedOn": TOLD.finished_on}
    found = read_statement(line)
    assert (found, found.key_id) == (TOLD, key.key_id)


def test_without_a_key_nobody_signs(key):
    found = read_statement(write_statement(TOLD, None))
    assert (found, found.key_id) == (TOLD, "")


def test_a_line_of_which_anything_else_was_changed_is_refused(key, tmp_path):
    line = write_statement(TOLD, key)
    envelope = json.loads(line)
    payload = base64.standard_b64decode(envelope["payload"])
    other = json.loads(write_statement(TOLD, make_keys(tmp_path / "other")))
    unsigned = json.loads(write_statement(TOLD, None))
    harmed = [
        envelope | {"payload": base64.b64encode(payload.replace(b"11" * 32, b"55" * 32)).decode()},
        envelope | {"signatures": other["signatures"]},
        envelope | {"signatures": []},
        envelope | {"signatures": envelope["signatures"] * 2},
        envelope | {"payload": unsigned["payload"]},
        envelope | {"payloadType": "text/plain"},
        envelope | {"payload": base64.b64encode(payload.replace(b"slsa.dev/provenance/v1", b"slsa.dev/provenance/v9")).decode()},
        envelope | {"payload": "!"},
        {"payload": envelope["payload"]},
        [],
    ]  # fmt: skip
    for one in harmed:
        with pytest.raises(ValueError, match="attestation"):
            read_statement(json.dumps(one))
    for text in ("{", "[" * 100_000, "null"):
        with pytest.raises(ValueError, match="attestation"):
            read_statement(text)
