"""One step's attestation: an in-toto Statement 1 with SLSA's provenance predicate 1 in a DSSE envelope, in one line of text.

Lines of several steps, one below the other, are what in-toto calls a bundle of attestations (`.intoto.jsonl`).
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lesionflow.io.signing.envelope import PAYLOAD_TYPE, STATEMENT_TYPE, pre_authentication_encoding
from lesionflow.io.signing.keys import SigningKey, is_signed_by, key_id_of

#: https://slsa.dev/spec/v1.0/provenance
PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
BUILD_TYPE, BUILDER = "urn:lesionflow:step:1", "urn:lesionflow:run_step"
#: An extension field, as SLSA lets vendors have: the raw public key, base64, so that a signature can be checked where its key is not known.
SIGNER = "lesionflow_signer"


@dataclass(frozen=True)
class Attestation:
    """What a step took and made.

    Args:
        step: Its name.
        subjects: sha256 of each output by its name.
        materials: sha256 of each input by its name.
        params_sha256: Of the step's section of the params, as canonical JSON.
        code_revision: Of the code that ran.
        data_revision: Of the data it is about, as far as the step knows.
        lesionflow_version: That ran.
        started_on: ISO 8601, UTC.
        finished_on: ISO 8601, UTC.
        key_id: Who signed; empty where nobody did. Told by the signature, not written by `write_statement`.
    """

    step: str
    subjects: Mapping[str, str]
    materials: Mapping[str, str]
    params_sha256: str
    code_revision: str
    data_revision: str
    lesionflow_version: str
    started_on: str
    finished_on: str
    key_id: str = field(default="", compare=False)


def write_statement(attestation: Attestation, key: SigningKey | None) -> str:
    """Return the line.

    Args:
        attestation: What is attested.
        key: Who signs; None for a line without a signature, which vouches for nothing.
    """
    payload = json.dumps(_statement(attestation, key), sort_keys=True, separators=(",", ":")).encode()
    signatures = (
        [] if key is None else [{"keyid": key.key_id, "sig": _text(key.sign(pre_authentication_encoding(payload)))}]
    )
    return json.dumps({"payload": _text(payload), "payloadType": PAYLOAD_TYPE, "signatures": signatures})


def read_statement(line: str) -> Attestation:
    """Read a line and check its signature.

    Raises:
        ValueError: When it is no such statement, or not signed by the key that it names; the message says which.
    """
    try:
        envelope = json.loads(line)
        payload = base64.b64decode(envelope["payload"], validate=True)
        signatures = [
            (str(one["keyid"]), base64.b64decode(one["sig"], validate=True)) for one in envelope["signatures"]
        ]
        kind, statement = envelope["payloadType"], json.loads(payload)
        signer = base64.b64decode(statement["predicate"]["runDetails"].get(SIGNER, ""), validate=True)
        found = _attestation(statement)
        types = (kind, statement["_type"], statement["predicateType"])
    except (KeyError, TypeError, AttributeError, RecursionError, ValueError, binascii.Error) as error:
        message = "something that is no DSSE envelope of a step's attestation"
        raise ValueError(message) from error
    if types != (PAYLOAD_TYPE, STATEMENT_TYPE, PREDICATE_TYPE):
        message = f"an attestation of another kind: {', '.join(map(str, types))}"
        raise ValueError(message)
    if not signer and not signatures:
        return found
    key_id = key_id_of(signer) if signer else ""
    if [named for named, _ in signatures] != [key_id] or not is_signed_by(
        signer, signatures[0][1], pre_authentication_encoding(payload)
    ):
        message = f"an attestation of {found.step} that is not signed by the key it names: altered"
        raise ValueError(message)
    return Attestation(**{**vars(found), "key_id": key_id})


def _statement(told: Attestation, key: SigningKey | None) -> dict[str, Any]:
    signer = {} if key is None else {SIGNER: _text(key.public_bytes)}
    return {
        "_type": STATEMENT_TYPE,
        "subject": _described(told.subjects),
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {"step": told.step, "params_sha256": told.params_sha256},
                "internalParameters": {"code_revision": told.code_revision, "data_revision": told.data_revision},
                "resolvedDependencies": _described(told.materials),
            },
            "runDetails": {
                "builder": {"id": BUILDER, "version": {"lesionflow": told.lesionflow_version}},
                "metadata": {"startedOn": told.started_on, "finishedOn": told.finished_on},
                **signer,
            },
        },
    }


def _attestation(statement: Mapping[str, Any]) -> Attestation:
    definition, details = statement["predicate"]["buildDefinition"], statement["predicate"]["runDetails"]
    external, internal = definition["externalParameters"], definition["internalParameters"]
    return Attestation(
        step=str(external["step"]),
        subjects=_by_name(statement["subject"]),
        materials=_by_name(definition["resolvedDependencies"]),
        params_sha256=str(external["params_sha256"]),
        code_revision=str(internal["code_revision"]),
        data_revision=str(internal["data_revision"]),
        lesionflow_version=str(details["builder"]["version"]["lesionflow"]),
        started_on=str(details["metadata"]["startedOn"]),
        finished_on=str(details["metadata"]["finishedOn"]),
    )


def _described(things: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"name": name, "digest": {"sha256": things[name]}} for name in sorted(things)]


def _by_name(described: Any) -> dict[str, str]:
    return {str(one["name"]): str(one["digest"]["sha256"]) for one in described}


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
