"""Who is withdrawn: pseudonyms, studies, files, found by the rules that ingest reads them by."""

from pathlib import Path
from typing import Any, NamedTuple

from lesionflow.cohort.pseudonym import is_pseudonym, pseudonym
from lesionflow.config import IngestConfig, Settings, load_params, load_section
from lesionflow.errors import ConfigError, InputError
from lesionflow.io.stores.case_index import read_case_index
from lesionflow.io.stores.private import known_sources
from lesionflow.io.stores.tombstones import read_tombstones, tombstone
from lesionflow.steps.ingest.step import READER_VERSION
from lesionflow.steps.ingest.studies import open_studies, secret_of
from lesionflow.workspace.layout import PATHS


class Subject(NamedTuple):
    """A patient.

    Args:
        patient_id: The pseudonym.
        mark: The tombstone.
        words: Pseudonym, case ids and what else names the patient.
        case_ids: The studies'.
        files: The studies' files, absolute.
        shared: Files that hold studies of others too, absolute.
    """

    patient_id: str
    mark: str
    words: tuple[str, ...]
    case_ids: tuple[str, ...]
    files: tuple[str, ...]
    shared: tuple[str, ...]

    def as_journal(self) -> dict[str, Any]:
        """Return what a killed withdrawal needs to be finished."""
        return self._asdict()

    @classmethod
    def of_journal(cls, told: dict[str, Any]) -> "Subject":
        """Read what `as_journal` gave."""
        lists = {key: tuple(map(str, value)) for key, value in told.items() if isinstance(value, list | tuple)}
        return cls(patient_id=str(told["patient_id"]), mark=str(told["mark"]), **lists)


def find_subject(workspace: Path, patient: str, settings: Settings) -> Subject:
    """Find all that a workspace has of a patient.

    Args:
        workspace: The workspace.
        patient: The pseudonym, or the ID that the studies came with: the team's key tells the pseudonym.
        settings: Where the key is.

    Raises:
        ConfigError: When nothing here was ever of such a patient.
    """
    secret = secret_of(settings)
    given = is_pseudonym("p", patient)
    index = read_case_index(workspace / PATHS["cases"])
    known = {str(entry.row.get("patient_id")) for entry in index.values() if entry.row}
    patient_id = patient if given or patient in known else pseudonym(secret, "p", patient)
    cases = {case_id for case_id, entry in index.items() if entry.row.get("patient_id") == patient_id}
    studies, others = _raw_files(workspace, patient_id, settings)
    cases |= set(studies)
    mark = tombstone(secret, patient_id)
    if not cases and mark not in read_tombstones(workspace / PATHS["cases"], settings.private_dir):
        raise ConfigError(
            f"Expected a patient of {workspace.resolve().name}, by pseudonym (p-...) or by the ID that the studies came with, found "
            "no study of such a one. `cases.parquet` has the pseudonyms; an ID needs the team's pseudonym key on this machine."
        )
    files = {file for names in studies.values() for file in names}
    if not studies:
        sources = known_sources(settings.private_dir)
        files = {str(p) for c in cases if c in sources for p in _files_at(Path(sources[c]))}
    words = (patient_id, *sorted(cases), *([] if patient == patient_id else [patient]))
    return Subject(
        patient_id, mark, words, tuple(sorted(cases)), tuple(sorted(files - others)), tuple(sorted(files & others))
    )


def _raw_files(workspace: Path, patient_id: str, settings: Settings) -> tuple[dict[str, list[str]], set[str]]:
    """Return a patient's files by case id, refused studies too, and all files of others; nothing where studies can't be read."""
    raw = workspace / PATHS["raw"]
    if not raw.exists():
        return {}, set()
    config = load_section(IngestConfig, load_params(workspace / "params.yaml")["ingest"], "ingest")
    studies = open_studies(raw, config, settings, reader_version=READER_VERSION, only_recorded=False)
    try:
        with studies as (_, tasks):
            # What lies in an archive is the archive's.
            own = {t.case_id: [_on_disk(f, raw) for f in t.source.files] for t in tasks if t.patient_id == patient_id}
            others = {_on_disk(f, raw) for t in tasks if t.patient_id != patient_id for f in t.source.files}
    except InputError:
        return {}, set()
    return own, others


def _on_disk(file: str, raw: Path) -> str:
    if Path(file).is_relative_to(raw):
        return file
    archives = [str(path) for path in raw.rglob("*") if path.suffix.lower() in (".zip", ".tar", ".gz", ".tgz")]
    return archives[0] if len(archives) == 1 else str(raw)


def _files_at(place: Path) -> list[Path]:
    return [path for path in place.rglob("*") if path.is_file()] if place.is_dir() else [place]
