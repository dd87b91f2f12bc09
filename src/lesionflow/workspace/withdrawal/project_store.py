"""A patient's part of a project store: what pods go on from is rewritten as a workspace's is, and all that was before goes."""

from pathlib import Path
from tempfile import TemporaryDirectory

from lesionflow.config import Settings
from lesionflow.errors import ConfigError
from lesionflow.io.files import find_files
from lesionflow.io.project_store.store import ProjectStore
from lesionflow.io.redaction import mentions
from lesionflow.io.stores.case_index import INDEX, read_case_index
from lesionflow.io.stores.tombstones import set_tombstone
from lesionflow.steps.kept_output import claim_key
from lesionflow.workspace.layout import PATHS
from lesionflow.workspace.withdrawal.patient_files import remove_derived
from lesionflow.workspace.withdrawal.subject import Subject


def require_store(address: str, settings: Settings) -> ProjectStore:
    """Open a team's project store: a mistyped address holds nothing, and nobody may take it for one that a patient has left.

    Args:
        address: A folder, or an address such as `s3://bucket/project`.
        settings: The pseudonym key.

    Raises:
        ConfigError: When nothing is kept there, or there is no key.
        ArtifactError: When the store is of another key: another team's.
        ServiceError: When it can't be reached.
    """
    store = ProjectStore(address)
    if not store.outputs():
        raise ConfigError(
            f"Expected what the pipeline keeps between its runs in the project store {address}, found nothing there. Name it as the pipeline's "
            "project_store does."
        )
    claim_key(store, settings)
    return store


def with_kept_cases(address: str, subject: Subject, settings: Settings) -> Subject:
    """Return a patient with the cases that a project store's own tables have of the patient: a workspace may know none any more.

    Args:
        address: A folder, or an address such as `s3://bucket/project`; empty for none.
        subject: Who.
        settings: The pseudonym key.

    Raises:
        ConfigError: When nothing is kept there, or there is no key.
        ArtifactError: When the store was harmed, or is another team's.
        ServiceError: When it can't be reached.
    """
    if not address:
        return subject
    found = sorted(_case_ids(require_store(address, settings), subject) - {*subject.case_ids})
    words = tuple(dict.fromkeys((*subject.words, *found)))
    return subject._replace(case_ids=(*subject.case_ids, *found), words=words)


def clean_store(address: str, subject: Subject, settings: Settings) -> int:
    """Take a patient out of a project store.

    No run of the pipeline may be under way: what it keeps meanwhile would be refused to it, or name the patient again.

    Args:
        address: A folder, or an address such as `s3://bucket/project`.
        subject: Who; with the cases that the store's own tables have, see `with_kept_cases`.
        settings: The pseudonym key.

    Returns:
        How many objects went.

    Raises:
        ConflictError: When a run kept something meanwhile.
        ConfigError: When nothing is kept there, or there is no key.
        ArtifactError: When the store was harmed, or is another team's.
        ServiceError: When it can't be reached.
    """
    store = require_store(address, settings)
    outputs = [name for name in store.outputs() if name in PATHS]
    with TemporaryDirectory() as folder:
        workspace = Path(folder)
        before = {name: edition for name in outputs if (edition := store.latest(name)) is not None}
        for name, edition in before.items():
            store.restore(edition, workspace / PATHS[name])
        if "cases" in before:
            set_tombstone(workspace / PATHS["cases"], subject.mark, withdrawn=True)
        remove_derived(workspace, subject)
        for name, edition in before.items():
            path = workspace / PATHS[name]
            if path.exists() and not any(mentions(file, subject.words) for file in _files(path)):
                store.save(name, path, edition)
            else:
                store.drop(name)
    return store.prune()


def _case_ids(store: ProjectStore, subject: Subject) -> set[str]:
    """Return a patient's cases by the tables of all editions: arrays of an earlier one may still be there."""
    found = set()
    for edition in store.editions("cases"):
        if INDEX in edition.files:
            with TemporaryDirectory() as folder:
                store.take_object(edition.files[INDEX][0], Path(folder) / INDEX)
                index = read_case_index(Path(folder))
            found |= {case_id for case_id, entry in index.items() if entry.row.get("patient_id") == subject.patient_id}
    return found


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else find_files(path)
