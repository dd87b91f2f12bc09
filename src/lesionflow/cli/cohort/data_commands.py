"""`lesionflow data`: add studies to a workspace, say what changed, verify that nothing else did."""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from lesionflow.cli.cohort import split_commands, withdraw_commands
from lesionflow.cli.parser import wording_of
from lesionflow.config import IngestConfig, Settings, load_params, load_section
from lesionflow.errors import ArtifactError, ConfigError, LesionFlowError
from lesionflow.workspace.layout import PATHS, require_workspace
from lesionflow.workspace.raw_studies import dvc_file, name_some, require_whole, track_studies


def add_commands(commands: Any) -> None:
    """Add `data add|status|diff|verify`."""
    data = commands.add_parser("data", help="add studies, say what changed, verify that nothing else did")
    actions = data.add_subparsers(title="actions", required=True, metavar="ACTION")
    add = actions.add_parser(
        "add", help="copy studies into data/raw and record them; without a folder, record data/raw as it is"
    )
    add.add_argument("folder", type=Path, nargs="?", help="a folder of studies, of the layout of those that are there")
    add.add_argument("--replace", action="store_true", help="a file that is there with other bytes becomes the new one")
    add.add_argument(
        "--keep-identifiers",
        action="store_true",
        help="copy DICOM as it is; without, names, numbers and dates of patients are taken out (PS3.15)",
    )
    add.add_argument(
        "--report",
        type=Path,
        metavar="PAGE",
        help="read them too, and write a page to look through: what is taken as what, what is refused and why",
    )
    add.set_defaults(run=_add)
    status = actions.add_parser("status", help="what is there, what is recorded, who read the test set")
    status.set_defaults(run=_status)
    diff = actions.add_parser("diff", help="say in words what changed against the last recorded version")
    diff.add_argument("revision", nargs="?", help="a git revision; without, what the last `lesionflow run` recorded")
    diff.set_defaults(run=_diff)
    verify = actions.add_parser("verify", help="read every byte of studies and cases, and name what is not as recorded")
    verify.set_defaults(run=_verify)
    for action in (
        add,
        status,
        diff,
        verify,
        *split_commands.add_actions(actions),
        *withdraw_commands.add_withdraw_action(actions),
    ):
        action.add_argument("--workdir", type=Path, default=Path(), help="the workspace")


def add_copies(workspace: Path, folder: Path) -> None:
    """Copy studies into a workspace without identifiers and put them under DVC, as `data add` does; a link there goes.

    Raises:
        ConfigError: When the folder is none, or of another layout than what is there.
        ArtifactError: When recorded studies are not as they were recorded.
    """
    from lesionflow.io.stores.raw_manifest import manifest_path

    raw = workspace / PATHS["raw"]
    if raw.is_symlink():
        raw.unlink()
        # It was of the folder that the link led to.
        manifest_path(raw).unlink(missing_ok=True)
    _add(argparse.Namespace(folder=folder, workdir=workspace, replace=False, keep_identifiers=False, report=None))


def _add(parsed: argparse.Namespace) -> int:
    from lesionflow.io.stores import raw_manifest
    from lesionflow.workspace.adding import add_files
    from lesionflow.workspace.replaced_studies import tell_replaced

    workspace, settings = _workspace(parsed), Settings()
    raw = workspace / PATHS["raw"]
    if parsed.folder is not None:
        if raw.is_symlink():
            raise ConfigError(
                f"Expected {raw} to be a folder, found a link to {raw.resolve()}. Put the studies there, then "
                "`lesionflow data add` without a folder records them."
            )
        if raw.exists() and raw_manifest.manifest_path(raw).exists():
            require_whole(raw_manifest.compare(raw, workers=settings.workers, trust_times=True))
        if not parsed.folder.is_dir():
            raise ConfigError(f"Expected a folder of studies at {parsed.folder}, found none.")
        as_it_is = nullcontext(parsed.folder)
        with as_it_is if parsed.keep_identifiers else _deidentified(parsed.folder, settings) as source:
            copied = add_files(source, raw, replace=parsed.replace, given=parsed.folder)
        _say(f"{copied.n_copied} files copied into {copied.folder}, {copied.n_same} were there already")
    if not raw.exists():
        raise ConfigError(f"Expected studies in {raw}, found none. Name a folder of studies.")
    state = raw_manifest.record(raw, workers=settings.workers)
    words = [f"{len(names)} {what}" for what, names in zip(("new", "changed", "gone"), state[1:], strict=True) if names]
    _say(f"data/raw: {len(state.hashes)} files recorded ({', '.join(words) or 'nothing changed'})")
    track_studies(workspace, again=True)
    if parsed.folder is not None and (
        told := tell_replaced(workspace, copied.replaced, _ingest_config(workspace), settings)
    ):
        _say(told)
    if parsed.report:
        from lesionflow.steps.ingest.step import preview

        preview(_ingest_config(workspace), raw, workspace / PATHS["cases"], settings, page=parsed.report)
        _say(f"What was read, to look through: {parsed.report}")
    _say(wording_of(parsed)("Next: `lesionflow data diff` says what that means, `lesionflow run` takes it in."))
    return 0


@contextmanager
def _deidentified(folder: Path, settings: Settings) -> Iterator[Path]:
    """Give de-identified copies of DICOM studies in a scratch folder, and say what is left to look at; else the folder."""
    from lesionflow.errors import InputError
    from lesionflow.io.archives import opened
    from lesionflow.io.dicom.deidentification import deidentify_folder
    from lesionflow.io.layouts.recognition import recognize
    from lesionflow.io.stores.private import remember_sources
    from lesionflow.steps.ingest.studies import secret_of

    with opened(folder) as (plain, refused), tempfile.TemporaryDirectory(prefix="lesionflow-") as scratch:
        try:
            layout = recognize(plain).name
        except InputError:  # told where the files are added
            layout = "none"
        if layout != "dicom":
            yield folder
            return
        if refused:
            raise ConfigError(
                f"Expected DICOM studies in {folder}, found {len(refused)} zips beside them that can't be unpacked. Mend "
                "them or take them out."
            )
        out = Path(scratch) / "deidentified"
        done = deidentify_folder(plain, out, secret_of(settings), apply=partial(_in_workers, settings))
        remember_sources(settings.private_dir, done.sources)
        _say(f"{done.n_files} files de-identified, {done.n_left_out} that hold no image or outline left out")
        _say(f"Look whether one of these names somebody: {', '.join(sorted(done.descriptors)) or 'no words were kept'}")
        yield out


def _in_workers(settings: Settings, function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]:
    from lesionflow.steps.parallel import map_cases

    results = map_cases(
        function, items, name=lambda item: f"file {item[0]}", workers=settings.workers, what="De-identifying"
    )
    for _, result in results:
        if isinstance(result, LesionFlowError):
            raise result
        yield result


def _status(parsed: argparse.Namespace) -> int:
    from lesionflow.io.stores import raw_manifest
    from lesionflow.io.stores.case_index import read_case_index
    from lesionflow.io.stores.ledger import describe_ledger, ledger_path

    workspace, settings = _workspace(parsed), Settings()
    raw = workspace / PATHS["raw"]
    if not raw.exists():
        _say(wording_of(parsed)("data/raw: no studies yet; `lesionflow data add DIR` copies some"))
        return 0
    state = raw_manifest.compare(raw, workers=settings.workers, trust_times=True)
    tracked = (
        "linked, not under DVC" if raw.is_symlink() else "under DVC" if dvc_file(raw).exists() else "not under DVC"
    )
    _say(f"data/raw: {len(state.hashes)} files, {tracked}")
    for what, names in zip(("not recorded", "changed", "missing"), state[1:], strict=True):
        if names:
            _say(f"  {len(names)} {what}: {name_some(names)}")
    index = read_case_index(workspace / PATHS["cases"])
    refused = sum(1 for entry in index.values() if entry.refusal)
    _say(f"data/cases: {len(index) - refused} cases read, {refused} studies refused")
    for line in describe_ledger(ledger_path(workspace / PATHS["splits"])):
        _say(line)
    return 0


def _diff(parsed: argparse.Namespace) -> int:
    from lesionflow.cohort.changes import describe_changes
    from lesionflow.io.stores.splits import read_split
    from lesionflow.steps.ingest.step import preview
    from lesionflow.workspace.recorded_versions import recorded_table

    workspace = _workspace(parsed)
    before = recorded_table(workspace, parsed.revision)
    now = preview(_ingest_config(workspace), workspace / PATHS["raw"], workspace / PATHS["cases"], Settings())
    for refusal in now.refused:
        _say(f"refused: {refusal['case_id']} ({refusal['reason']}): {refusal['message']}")
    if before is None:
        _say(wording_of(parsed)(f"Nothing is recorded yet; `lesionflow run` would take in {len(now.table)} cases."))
        return 0
    against = f"git revision {parsed.revision}" if parsed.revision else "the last run"
    splits = workspace / PATHS["splits"]
    sentences = describe_changes(before, now.table, now.dataset, read_split(splits).test if splits.exists() else ())
    _say(f"Against {against} ({len(before)} cases of {before['patient_id'].nunique()} patients):")
    for sentence in sentences or ("nothing changed",):
        _say(f"  {sentence}")
    return 0


def _verify(parsed: argparse.Namespace) -> int:
    from lesionflow.io.stores import raw_manifest
    from lesionflow.io.stores.case_index import harmed_files, read_case_index

    workspace = _workspace(parsed)
    raw, cases = workspace / PATHS["raw"], workspace / PATHS["cases"]
    if not raw_manifest.manifest_path(raw).exists():
        raise ArtifactError(
            f"Expected {raw_manifest.manifest_path(raw)}, found none. `lesionflow data add` records data/raw."
        )
    state = raw_manifest.compare(raw, workers=Settings().workers)
    for name in state.added:
        _say(f"not recorded  data/{name}")
    for name in state.changed:
        _say(f"changed       data/{name}")
    for name in state.missing:
        _say(f"missing       data/{name}")
    index = read_case_index(cases)
    harmed = [f"{PATHS['cases']}/{name}" for case_id in sorted(index) for name in harmed_files(cases, index[case_id])]
    for name in harmed:
        _say(f"harmed        {name}")
    n_files = len(state.hashes) + sum(len(entry.files) for entry in index.values())
    if harmed:
        raise ArtifactError(
            f"{len(harmed)} files of {PATHS['cases']} are not as they were written. `lesionflow ingest` mends them."
        )
    require_whole(state)
    _say(
        f"{n_files} files read: every one is as it was recorded"
        + (f", {len(state.added)} are not recorded" if state.added else "")
    )
    return 0


def _workspace(parsed: argparse.Namespace) -> Path:
    workspace: Path = parsed.workdir
    require_workspace(workspace)
    return workspace


def _ingest_config(workspace: Path) -> IngestConfig:
    return load_section(IngestConfig, load_params(workspace / "params.yaml")["ingest"], "ingest")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
