"""Withdraw a patient, or take that back: journal first, so that the next call finishes what a kill broke off."""

from collections.abc import Callable, Sequence
from pathlib import Path

from lesionflow.config import Settings
from lesionflow.data.ledger import EntryKind
from lesionflow.io.stores.ledger import append_entry, ledger_path, read_ledger
from lesionflow.io.stores.splits import read_split
from lesionflow.io.stores.tombstones import read_journal, read_tombstones, set_tombstone, write_journal
from lesionflow.registry.erasure import Learned, erase_mentions, find_learned
from lesionflow.registry.succession import champion_by_ledger, settle, tell_pages
from lesionflow.steps.shared_state import push_shared
from lesionflow.workspace.layout import PATHS
from lesionflow.workspace.raw_studies import track_studies
from lesionflow.workspace.withdrawal.dvc_objects import drop_objects
from lesionflow.workspace.withdrawal.patient_files import remove_derived, remove_private, remove_studies, still_named
from lesionflow.workspace.withdrawal.project_store import clean_store, require_store, with_kept_cases
from lesionflow.workspace.withdrawal.report import (
    KUBEFLOW,
    UNNAMED_STORE,
    Withdrawal,
    git_history,
    read_report,
    write_report,
)
from lesionflow.workspace.withdrawal.subject import Subject, find_subject

#: What no command can know of.
ELSEWHERE = (
    "answers that the service gave (its results folder keeps them for `LESIONFLOW_MAX_RESULT_AGE_S`), and what was exported or printed",
    "names of files in DVC's scratch on this machine (`dvc config core.site_cache_dir`, else /var/tmp/dvc): remove that folder",
    "clones, backups and snapshots of this workspace",
)


def withdraw(
    workspace: Path,
    patient: str,
    tracking_uri: str,
    settings: Settings,
    say: Callable[[str], None],
    *,
    project_store: str = "",
) -> Withdrawal:
    """Withdraw a patient.

    What an earlier call was killed in is finished first.

    Args:
        workspace: The workspace.
        patient: Pseudonym or original ID.
        tracking_uri: The MLflow store.
        settings: Where the team's key and lists are.
        say: Takes a sentence for the user.
        project_store: What the pipeline on a cluster goes on from; empty for none.

    Returns:
        What was done.

    Raises:
        ConfigError: When there is no such patient, or nothing is kept in the project store.
        ArtifactError: When the project store is another team's.
        ServiceError: When a store can't be reached: nothing is called done that is not.
    """
    if project_store:
        require_store(project_store, settings)
    finished = {}
    for pending in read_journal(settings.private_dir):
        if pending["workspace"] == str(workspace.resolve()):
            say("Finishing a withdrawal that was broken off; what went before is not counted again.")
            store = project_store or str(pending.get("project_store", ""))
            broken_off = with_kept_cases(store, Subject.of_journal(pending["subject"]), settings)
            finished[broken_off.mark] = _carry_out(workspace, broken_off, tracking_uri, settings, store)
    subject = with_kept_cases(project_store, find_subject(workspace, patient, settings), settings)
    if subject.mark in finished:
        return finished[subject.mark]
    mine = {
        "workspace": str(workspace.resolve()), "subject": subject.as_journal(), "project_store": project_store
    }  # fmt: skip
    write_journal(settings.private_dir, [*read_journal(settings.private_dir), mine])
    return _carry_out(workspace, subject, tracking_uri, settings, project_store)


def readmit(workspace: Path, patient: str, settings: Settings) -> bool:
    """Let a withdrawn patient's studies be read again; return whether the patient was withdrawn.

    Args:
        workspace: The workspace.
        patient: Pseudonym or original ID.
        settings: Where the team's key and lists are; the store, on whose pages of versions it is told.

    Raises:
        ConfigError: When nothing here was ever of such a patient.
    """
    subject = find_subject(workspace, patient, settings)
    folders = (workspace / PATHS["cases"], settings.private_dir)
    if subject.mark not in read_tombstones(*folders):
        return False
    ledger = ledger_path(workspace / PATHS["splits"])
    learned = _models_that_learned(ledger, subject.mark)
    append_entry(ledger, EntryKind.WITHDRAWAL, {"patient": subject.mark, "readmitted": True})
    for folder in folders:
        set_tombstone(folder, subject.mark, withdrawn=False)
    for name in learned:
        tell_pages(name, ledger, settings.tracking_uri)
    return True


def _models_that_learned(ledger: Path, mark: str) -> list[str]:
    """Return the registered models of which a version learned from a patient, by the ledger."""
    of_patient = (e for e in read_ledger(ledger) if e.kind is EntryKind.WITHDRAWAL and e.facts.get("patient") == mark)
    return sorted(
        {str(one).rpartition(" version ")[0] for entry in of_patient for one in entry.facts.get("learned") or ()}
    )


def _carry_out(
    workspace: Path, subject: Subject, tracking_uri: str, settings: Settings, project_store: str
) -> Withdrawal:
    """Do all of it; each part does nothing where it was done before."""
    # First, so that whoever reads studies meanwhile refuses the patient's.
    for folder in (workspace / PATHS["cases"], settings.private_dir):
        set_tombstone(folder, subject.mark, withdrawn=True)
    learned = find_learned(tracking_uri, subject.case_ids)
    raw = workspace / PATHS["raw"]
    names = [str(Path(file).relative_to(raw)) for file in subject.files if Path(file).is_relative_to(raw)]
    n_raw, kept_raw = remove_studies(workspace, subject, settings.workers)
    n_derived = remove_derived(workspace, subject)
    track_studies(workspace, again=raw.exists())
    dropped = drop_objects(workspace, subject.words, names)
    erased = erase_mentions(tracking_uri, subject.words)
    removed = {
        "files of studies": n_raw,
        "files made of them, removed or rewritten": n_derived,
        "objects of DVC's cache and remotes": len(dropped.digests),
        "files of MLflow, removed or rewritten": erased.n_files,
        "rows of MLflow's database": erased.n_rows,
        "entries of the team's private lists": remove_private(settings.private_dir, subject),
        **({"objects of the project store": clean_store(project_store, subject, settings)} if project_store else {}),
    }
    named = tuple(
        f"{path}: only ever added to; it tells the patient by pseudonym" for path in still_named(workspace, subject)
    )
    kept = (
        *kept_raw,
        *named,
        *erased.kept,
        *dropped.kept,
        *git_history(workspace, subject.words),
        KUBEFLOW if project_store else UNNAMED_STORE,
        *ELSEWHERE,
    )
    withdrawal = Withdrawal.of(subject.mark, len(subject.case_ids), removed, kept, learned)
    _note(workspace, withdrawal)
    _tell_others(workspace, subject, learned, tracking_uri)
    others = [p for p in read_journal(settings.private_dir) if p["subject"]["mark"] != subject.mark]
    write_journal(settings.private_dir, others)
    return withdrawal


def _note(workspace: Path, withdrawal: Withdrawal) -> None:
    """Write the report and the ledger's entry: all that was done, in this call and those before it. A call that adds nothing is not noted."""
    before = read_report(workspace, withdrawal.mark)
    told = withdrawal if before is None else withdrawal.after(before)
    if told != before:
        append_entry(ledger_path(workspace / PATHS["splits"]), EntryKind.WITHDRAWAL, told.facts())
        write_report(workspace, told)


def _tell_others(workspace: Path, subject: Subject, learned: Sequence[Learned], tracking_uri: str) -> None:
    """Bring aliases in line with the bars, and share ledger and split with whoever else trains the model, in whatever store it is."""
    splits = workspace / PATHS["splits"]
    ledger = ledger_path(splits)
    for name in sorted({of.version.model_name for of in learned}):
        if champion_by_ledger(read_ledger(ledger), name) is not None:
            settle(name, ledger, tracking_uri)
        tell_pages(name, ledger, tracking_uri)
    if splits.exists():
        push_shared(splits, read_split(splits).model_name, tracking_uri, without=subject.words)
