"""A statement in a signed envelope: DSSE 1.0 (github.com/secure-systems-lab/dsse) around an in-toto Statement 1."""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from lesionflow.io.signing.keys import SigningKey, is_signed_by, key_id_of

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:lesionflow:bundle:1"
#: In the predicate: the raw public key, base64, so that a signature can be checked where its key is not known.
SIGNER = "signer"


class Sealed(NamedTuple):
    """What a well-formed envelope holds; `key_id` is empty where nobody signed."""

    subjects: Mapping[str, str]
    facts: Mapping[str, str]
    key_id: str


def pre_authentication_encoding(payload: bytes) -> bytes:
    """Return what is signed: DSSE's PAE of the payload and its type.

    Examples:
        >>> pre_authentication_encoding(b"{}")
        b'DSSEv1 28 application/vnd.in-toto+json 2 {}'
    """
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def write_envelope(subjects: Mapping[str, str], facts: Mapping[str, str], key: SigningKey | None) -> bytes:
    """Return the envelope's bytes: the same for the same files and key.

    Args:
        subjects: sha256 by path.
        facts: What is said of them all.
        key: Who signs; None for an envelope without a signature.
    """
    return _envelope(_statement(subjects, facts, key.public_bytes if key else b""), key)


def read_envelope(content: bytes) -> Sealed:
    """Read an envelope and check that it is what `write_envelope` would write, to the byte, and signed by whom it names.

    Raises:
        ValueError: When any byte of it is another; the message says which part.
    """
    envelope = json.loads(content)
    try:
        payload = base64.b64decode(envelope["payload"], validate=True)
        signatures = [
            (str(one["keyid"]), base64.b64decode(one["sig"], validate=True)) for one in envelope["signatures"]
        ]
        statement = json.loads(payload)
        subjects = {str(one["name"]): str(one["digest"]["sha256"]) for one in statement["subject"]}
        facts = {str(name): str(value) for name, value in statement["predicate"].items()}
    except (KeyError, TypeError, AttributeError, binascii.Error) as error:
        message = "something that is no DSSE envelope of an in-toto statement"
        raise ValueError(message) from error
    public_bytes = base64.b64decode(facts.pop(SIGNER, ""))
    if payload != _statement(subjects, facts, public_bytes) or content != _joined(payload, signatures):
        message = "other bytes than lesionflow writes"
        raise ValueError(message)
    if not public_bytes and not signatures:
        return Sealed(subjects, facts, "")
    key_id = key_id_of(public_bytes) if public_bytes else ""
    if [named for named, _ in signatures] != [key_id]:
        message = "a signature of another key than the one it names"
        raise ValueError(message)
    if not is_signed_by(public_bytes, signatures[0][1], pre_authentication_encoding(payload)):
        message = f"a signature that is not of the key {key_id:.12} it names"
        raise ValueError(message)
    return Sealed(subjects, facts, key_id)


def _statement(subjects: Mapping[str, str], facts: Mapping[str, str], public_bytes: bytes) -> bytes:
    signer = {SIGNER: base64.b64encode(public_bytes).decode()} if public_bytes else {}
    statement: dict[str, Any] = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": subjects[name]}} for name in sorted(subjects)],
        "predicateType": PREDICATE_TYPE,
        "predicate": {**facts, **signer},
    }
    return json.dumps(statement, sort_keys=True, separators=(",", ":")).encode()


def _envelope(payload: bytes, key: SigningKey | None) -> bytes:
    signatures = [(key.key_id, key.sign(pre_authentication_encoding(payload)))] if key else []
    return _joined(payload, signatures)


def _joined(payload: bytes, signatures: list[tuple[str, bytes]]) -> bytes:
    envelope = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{"keyid": name, "sig": base64.b64encode(value).decode()} for name, value in signatures],
    }
    return (json.dumps(envelope, indent=1) + "\n").encode()
