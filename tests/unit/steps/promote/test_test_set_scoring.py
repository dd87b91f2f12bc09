"""The same figures have the same digest, whatever their order and time; each read is in the ledger first."""

import hashlib

from lesionflow.config import Settings
from lesionflow.data.split import Fold, Split
from lesionflow.io.stores.ledger import read_ledger
from lesionflow.steps.promote.test_set_scoring import LockedSet, Scored, score_on
from support.bundles import small_bundle
from support.case_tables import case_table
from support.promotions import scores_of_cases

TABLE = case_table(6)
TEST = ("c-000004", "c-000005")


def _set(folder):
    fold = Fold(train=("c-000000",), validation=("c-000001",))
    patients = ("p-000004", "p-000005")
    split = Split(
        seed=1, fold=0, folds=(fold,), test=TEST, test_patients=patients, other_patients=("p-000000", "p-000001")
    )
    return LockedSet(folder / "cases", folder / "splits.json", split, TABLE)


def test_order_and_seconds_do_not_change_the_digest_a_figure_does():
    found = scores_of_cases(TABLE, TEST, [0.5, 0.75])
    one = Scored(found.cases, found.lesions)
    turned = Scored(found.cases.iloc[::-1].assign(seconds=9.0), found.lesions)
    other = Scored(found.cases.assign(dice=[0.5, 0.76]), found.lesions)
    assert one.sha256 == turned.sha256 != other.sha256
    assert one.sha256 == hashlib.sha256(one.csv().encode()).hexdigest()
    assert one.csv().splitlines()[1].startswith("c-000004,p-000004,tumor,0.5,")


def test_the_read_is_noted_before_the_first_case_is(tmp_path, monkeypatch):
    noted = []

    def score(bundle, read_case, case_ids, *, device):
        noted.extend(read_ledger(tmp_path / "ledger.jsonl"))
        return scores_of_cases(TABLE, case_ids, 0.5)

    monkeypatch.setattr("lesionflow.evaluation.scoring.score_bundle", score)
    found = score_on(_set(tmp_path), {"challenger": small_bundle()}, Settings(device="cpu"), "promote")
    assert list(found["challenger"].cases["case_id"]) == list(TEST)
    facts = noted[0].facts
    assert (facts["step"], facts["n_cases"], facts["test_patients"]) == ("promote", 2, ["p-000004", "p-000005"])
    assert facts["test_set_sha256"] == _set(tmp_path).sha256
