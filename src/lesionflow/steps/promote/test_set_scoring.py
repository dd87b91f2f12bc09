"""Models scored side by side on the locked test set, by one code in one step, with a digest of what was found."""

import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from lesionflow.cohort.splitting import digest_of_test_set
from lesionflow.config import Settings
from lesionflow.data.bundle import Bundle
from lesionflow.data.case import Case
from lesionflow.data.split import Split
from lesionflow.evaluation.empty_masks import KEYS
from lesionflow.io.stores.cases import read_case, read_table
from lesionflow.io.stores.ledger import ledger_path, note_read
from lesionflow.steps.revision import code_revision

logger = logging.getLogger(__name__)


class Scored(NamedTuple):
    """A model's scores: a row a case and target, a row a lesion, and the sha256 of the first as CSV."""

    cases: pd.DataFrame
    lesions: pd.DataFrame

    def csv(self) -> str:
        """Return the table of cases as text, the same for the same figures: its times are left out."""
        figures = self.cases.drop(columns=["seconds"], errors="ignore").sort_values(KEYS, kind="stable")
        return figures.to_csv(index=False, float_format="%.9g", lineterminator="\n")

    @property
    def sha256(self) -> str:
        """The digest that the decision names."""
        return hashlib.sha256(self.csv().encode()).hexdigest()


class LockedSet(NamedTuple):
    """The locked test set as it now is: where its cases lie, who is in it, and its digest."""

    cases: Path
    splits: Path
    split: Split
    table: pd.DataFrame

    @property
    def sha256(self) -> str:
        """sha256 over the test cases, their images and outlines."""
        rows = self.table[["case_id", "image_sha256", "mask_sha256"]].itertuples(index=False)
        return digest_of_test_set(self.split, {str(row[0]): (str(row[1]), str(row[2])) for row in rows})

    @property
    def patients(self) -> tuple[str, ...]:
        """Pseudonyms of the test patients."""
        rows = self.table["case_id"].isin(self.split.test)
        return tuple(sorted({str(patient) for patient in self.table.loc[rows, "patient_id"]}))


def open_test_set(cases: Path, splits: Path, split: Split) -> LockedSet:
    """Read what the case table says of the test set.

    Raises:
        ArtifactError: When the table can't be read.
    """
    return LockedSet(cases, splits, split, read_table(cases))


def score_on(test_set: LockedSet, bundles: Mapping[str, Bundle], settings: Settings, step: str) -> dict[str, Scored]:
    """Score models on the locked test set, one after another by the same code; each read is noted in the ledger first.

    Args:
        test_set: What is scored on.
        bundles: The models by what people call them.
        settings: The device.
        step: Who reads.

    Returns:
        The scores by the same names.

    Raises:
        ArtifactError: When a case can't be predicted or has no reference.
    """
    return {name: _score(name, bundle, test_set, settings, step) for name, bundle in bundles.items()}


def _score(name: str, bundle: Bundle, test_set: LockedSet, settings: Settings, step: str) -> Scored:
    from lesionflow.evaluation.scoring import score_bundle

    n_cases = len(test_set.split.test)
    called = name if " version " in name else f"the {name}"
    logger.info("scoring %s on %d test cases", called, n_cases)
    facts = {
        "step": step,
        "bundle_digest": bundle.digest,
        "run_id": bundle.card.run_id,
        "test_set_sha256": test_set.sha256,
        "n_cases": n_cases,
        "test_patients": list(test_set.patients),
        "code_revision": code_revision(),
    }
    note_read(ledger_path(test_set.splits), facts)
    patients = dict(zip(test_set.table["case_id"], test_set.table["patient_id"], strict=True))

    def read(case_id: str) -> Case:
        return read_case(test_set.cases, case_id, patients[case_id])

    scores = score_bundle(bundle, read, test_set.split.test, device=settings.device)
    return Scored(scores.cases, scores.lesions)
