"""A workspace's cases as a raw data set of nnU-Net: the folds to train by, the locked test cases apart."""

import logging
from pathlib import Path
from typing import NamedTuple

from lesionflow.cohort.nnunet_splits import to_nnunet
from lesionflow.cohort.splitting import digest_of_test_set
from lesionflow.data.split import Split
from lesionflow.errors import ArtifactError, ConfigError
from lesionflow.io.exchange.nnunet_dataset import TEST, TRAIN, ExportedCase, write_raw_dataset
from lesionflow.io.exchange.nnunet_declaration import name_folder
from lesionflow.io.stores.cases import read_contents, read_dataset, read_patients
from lesionflow.io.stores.ledger import ledger_path, note_read
from lesionflow.io.stores.splits import read_split
from lesionflow.steps.revision import code_revision
from lesionflow.steps.shared_state import share_ledger

logger = logging.getLogger(__name__)
#: nnU-Net's folders have three digits.
LAST_ID = 999


class Exported(NamedTuple):
    """Where the data set lies, and how many cases are there for what."""

    folder: Path
    n_train: int
    n_test: int
    n_folds: int


def export_nnunet(
    cases: Path, splits: Path, into: Path, tracking_uri: str, *, dataset_id: int, with_test: bool
) -> Exported:
    """Write the cases of a split as a raw data set of nnU-Net v2.

    Giving out the locked test cases is a read of the test set: it stands in the ledger before a file of them is written.

    Args:
        cases: What `ingest` wrote.
        splits: What `split` wrote. Cases that it leaves out (quarantined, not outlined) are left out here.
        into: The folder that nnU-Net calls `nnUNet_raw`; the data set becomes a folder in it.
        tracking_uri: The store, where the ledger is shared by it.
        dataset_id: Its number.
        with_test: Whether the locked test cases are written too.

    Returns:
        What was written.

    Raises:
        ConfigError: When the number is none of nnU-Net's, or the data set is there already.
        ArtifactError: When there are no cases, no split, or the case table lacks a case of the split.
    """
    if not 1 <= dataset_id <= LAST_ID:
        raise ConfigError(
            f"Expected the data set's number within 1 to {LAST_ID}, found {dataset_id}. Set --dataset-id."
        )
    folder = into / name_folder(dataset_id, read_dataset(cases).name)
    if folder.exists():
        raise ConfigError(
            f"Expected no {folder.name} in {into} yet, found one. Remove it, or choose another number by --dataset-id."
        )
    split = read_split(splits)
    exported = _choose(split, read_patients(cases), with_test=with_test)
    digest = digest_of_test_set(split, read_contents(cases))
    facts = {"test_set_sha256": digest, "code_revision": code_revision()}
    if any(case.use == TEST for case in exported):
        about = {"step": "export nnunet", "bundle_digest": "", "run_id": "", "n_cases": len(split.test)}
        share_ledger(splits, tracking_uri)
        note_read(ledger_path(splits), {**about, **facts, "test_patients": list(split.test_patients)})
        share_ledger(splits, tracking_uri)
    folds = to_nnunet(split)
    write_raw_dataset(folder, cases, exported, folds, facts)
    n_test = sum(case.use == TEST for case in exported)
    return Exported(folder, len(exported) - n_test, n_test, len(folds))


def _choose(split: Split, patients: dict[str, str], *, with_test: bool) -> list[ExportedCase]:
    trained = sorted({case_id for fold in split.folds for case_id in (*fold.train, *fold.validation)})
    wanted = [*((case_id, TRAIN) for case_id in trained), *((case_id, TEST) for case_id in split.test if with_test)]
    lost = [case_id for case_id, _ in wanted if case_id not in patients]
    if lost:
        raise ArtifactError(
            f"Expected every case of the split in the case table, found {len(lost)} gone: {', '.join(lost[:5])}. Run "
            "`lesionflow run`, which splits anew."
        )
    return [ExportedCase(case_id, patients[case_id], use) for case_id, use in wanted]
