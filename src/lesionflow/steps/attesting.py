"""Each step attests what it took and made: what `run_step` calls before and after it."""

import hashlib
import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from pydantic import BaseModel

from lesionflow import __version__
from lesionflow.config import Settings
from lesionflow.io.attestations.chain import GIVEN_FROM_OUTSIDE, Chain, read_lines, verify_chain
from lesionflow.io.attestations.content import recorded_sha256, sha256_of_content
from lesionflow.io.attestations.folder import FOLDER, find_statements, keep_statement
from lesionflow.io.attestations.statements import Attestation, write_statement
from lesionflow.io.signing.keys import load_signing_key
from lesionflow.io.stores.case_index import read_case_index
from lesionflow.steps.revision import code_revision

#: Inputs that are looked at by what their step has hashed of them; all that no step makes lies where nothing may be written.
STUDIES, OUTSIDE = frozenset({"raw"}), GIVEN_FROM_OUTSIDE
logger = logging.getLogger(__name__)


class StepWitness:
    """Sees a step's inputs before it runs and its outputs afterwards, and attests both.

    Attestations lie in `LESIONFLOW_ATTESTATIONS_DIR`, or in a folder `attestations` beside each output; those behind the inputs are carried along, so that
    the last step has them all.

    Args:
        name: The step.
        section: Its params.
        inputs: Its inputs by name.
        settings: Workers, and the folder.

    Raises:
        ConfigError: When the signing key can't be read.
    """

    def __init__(self, name: str, section: BaseModel, inputs: Mapping[str, Path], settings: Settings) -> None:
        self._name, self._section, self._inputs, self._settings = name, section, inputs, settings
        self._key, self._began = load_signing_key(), _now()
        self.materials = {key: self._sha256(path) for key, path in inputs.items() if key not in STUDIES}
        self.lines = find_statements(self._folders(inputs), self.materials)

    @property
    def chain(self) -> Chain:
        """The steps behind the inputs."""
        return verify_chain(read_lines(self.lines), self.materials)

    def attest(self, outputs: Mapping[str, Path]) -> None:
        """Write the step's attestation beside each of its outputs, with those behind it.

        Args:
            outputs: Its outputs by name, as they are now.
        """
        subjects = {key: self._sha256(path) for key, path in outputs.items()}
        studies = {key: _studies_sha256(self._inputs[key], outputs["cases"]) for key in STUDIES & set(self._inputs)}
        line = self.write(subjects, studies)
        for folder in self._folders(outputs):
            for one in (line, *self.lines):
                keep_statement(folder, one)
        told = ", ".join(f"{key} {sha256:.12}" for key, sha256 in subjects.items())
        by = f"signed by {self._key.key_id:.12}" if self._key else "unsigned, as LESIONFLOW_SIGNING_KEY names no key"
        logger.info("attested, %s: %s", by, told)

    def write(self, subjects: Mapping[str, str], studies: Mapping[str, str] = MappingProxyType({})) -> str:
        """Return a line that attests what was made, signed where there is a key.

        Args:
            subjects: sha256 by name.
            studies: Of what was read from outside.
        """
        params = json.dumps(self._section.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        attestation = Attestation(
            step=self._name,
            subjects=subjects,
            materials={**self.materials, **studies},
            params_sha256=hashlib.sha256(params.encode()).hexdigest(),
            code_revision=code_revision(),
            data_revision=self._data_revision(subjects),
            lesionflow_version=__version__,
            started_on=self._began,
            finished_on=_now(),
        )
        return write_statement(attestation, self._key)

    def _data_revision(self, subjects: Mapping[str, str]) -> str:
        """Return the sha256 of the cases that it is about: its own, or those of the steps behind it."""
        own = {**self.materials, **subjects}.get("cases")
        behind = (one.data_revision for one in read_lines(self.lines) if isinstance(one, Attestation))
        return own or next(filter(None, behind), "")

    def _sha256(self, path: Path) -> str:
        memory = self._settings.attestations_dir or path.parent / FOLDER
        return sha256_of_content(path, memory, workers=self._settings.workers)

    def _folders(self, paths: Mapping[str, Path]) -> tuple[Path, ...]:
        if self._settings.attestations_dir:
            return (self._settings.attestations_dir,)
        return tuple(dict.fromkeys(path.parent / FOLDER for key, path in paths.items() if key not in OUTSIDE))


def watch(name: str, section: BaseModel, inputs: Mapping[str, Path], settings: Settings) -> StepWitness:
    """Return a witness of a step that is about to run; warn where what it takes is not as other steps made it.

    Args:
        name: The step.
        section: Its params.
        inputs: Its inputs by name.
        settings: Workers, and the folder of attestations.

    Raises:
        ConfigError: When the signing key can't be read.
    """
    witness = StepWitness(name, section, inputs, settings)
    if witness.lines and not witness.chain.whole:
        logger.warning("what %s takes is not attested from the studies on: %s", name, witness.chain.in_words())
    return witness


def _studies_sha256(raw: Path, cases: Path) -> str:
    """Return what stands for the studies: their recorded manifest, or the keys under which `ingest` has hashed what it read."""
    recorded = recorded_sha256(raw)
    if recorded is not None:
        return recorded
    keys = "".join(f"{entry.key}\n" for _, entry in sorted(read_case_index(cases).items()))
    return hashlib.sha256(keys.encode()).hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
