from types import SimpleNamespace

import pytest
import yaml

from lesionflow.config import Settings
from lesionflow.config.challenger import InitialWeights, Trigger
from lesionflow.config.presets import PRESETS
from lesionflow.data.ledger import EntryKind
from lesionflow.data.split import Fold, Split
from lesionflow.errors import ArtifactError, ConfigError
from lesionflow.io.stores.cases import write_table
from lesionflow.io.stores.ledger import append_entry, ledger_path, read_ledger
from lesionflow.io.stores.plans import write_plan
from lesionflow.io.stores.splits import write_split
from lesionflow.workspace.retraining import preparation
from lesionflow.workspace.retraining.champion import Champion
from lesionflow.workspace.retraining.forecast import Scatter
from lesionflow.workspace.retraining.preparation import prepare
from lesionflow.workspace.retraining.request import Retraining, keep_before
from support.bundles import small_bundle
from support.case_tables import case_table
from support.change_plans import change_plan

ASKED = Retraining(Trigger.DATA, InitialWeights.BOTH)


class Prepared:
    """A workspace whose data were read and planned; its champion learned from c-000001 to c-000003."""

    def __init__(self, folder, monkeypatch):
        self.folder, self.said = folder, []
        table = case_table(14)
        ids, patients = list(table["case_id"]), list(table["patient_id"])
        folds = (
            Fold(train=tuple(ids[:2]), validation=tuple(ids[2:4])),
            Fold(train=tuple(ids[2:4]), validation=tuple(ids[:2])),
        )
        split = Split(
            seed=1,
            fold=0,
            folds=folds,
            test=tuple(ids[4:]),
            test_patients=tuple(patients[4:]),
            other_patients=tuple(patients[:4]),
        )
        self.splits = folder / "data" / "splits.json"
        (folder / "data" / "cases").mkdir(parents=True)
        write_split(self.splits, split)
        self.write(table)
        keep_before(folder, table)
        self.bundle = small_bundle()
        self.champion = Champion(SimpleNamespace(model_name="lesionflow-phantom-ct", version="3"), self.bundle)
        self.write_plan()
        self.allow("data", "training")
        (folder / "params.yaml").write_text((PRESETS / "phantom_ct.yaml").read_text())
        monkeypatch.setattr(preparation, "find_present_champion", lambda *_: self.champion)
        monkeypatch.setattr(preparation, "measure_scatter", lambda *_: (Scatter(0.1, 10, paired=True),))

    def write(self, table):
        write_table(self.folder / "data" / "cases", table)

    def write_plan(self, **changes):
        write_plan(self.folder / "data" / "plan.json", self.bundle.plan.model_copy(update=changes))

    def allow(self, *changes, **plan):
        content = change_plan(what_may_change=list(changes), **plan).model_dump(mode="json")
        (self.folder / "change_plan.yaml").write_text(yaml.safe_dump(content))

    def prepare(self, asked=ASKED):
        return prepare(self.folder, asked, Settings(), self.said.append)


@pytest.fixture
def work(tmp_path, monkeypatch):
    return Prepared(tmp_path, monkeypatch)


def test_it_says_what_changed_what_can_be_shown_and_notes_it_once(work):
    starts = work.prepare()
    assert [start.source for start in starts] == ["none", "models:/lesionflow-phantom-ct/3"]
    text = "\n".join(work.said)
    assert "No study changed." in text
    assert "The plan is the champion's." in text
    assert "change_plan.yaml, number 1, has nothing to allow: nothing changed." in text
    assert "10 patients are tested on; paired differences of 10 patients scatter by 0.100. At look 1 of 20" in text
    work.prepare()
    (entry,) = read_ledger(ledger_path(work.splits))
    assert entry.kind is EntryKind.RETRAIN
    assert (entry.facts["because"], entry.facts["champion_version"]) == ("data", "3")
    assert entry.facts["initial_weights"] == ["none", "models:/lesionflow-phantom-ct/3"]


def test_a_corrected_outline_of_a_test_case_is_said_to_be_scored_anew(work):
    table = case_table(14)
    table.loc[9, "mask_sha256"] = "f" * 64
    work.write(table)
    work.prepare()
    assert any("1 of them is a locked test case (c-000009): it stays tested on" in sentence for sentence in work.said)


def test_a_change_that_the_change_plan_does_not_allow_is_refused_before_training(work):
    work.write_plan(spacing_mm=(None, 1.6, 0.5))
    with pytest.raises(ConfigError, match="found also preprocessing"):
        work.prepare()
    assert read_ledger(ledger_path(work.splits)) == ()
    work.allow("data", "training", "preprocessing")
    assert work.prepare()
    assert "change_plan.yaml, number 1, allows what changed: preprocessing." in work.said


def test_a_new_label_needs_leave_and_a_floor_and_one_that_is_gone_is_refused_before_training(work):
    dataset = work.bundle.plan.dataset.model_copy(update={"labels": {"tumor": 1, "vessel": 2}})
    work.write_plan(dataset=dataset)
    with pytest.raises(ConfigError, match="found also targets"):
        work.prepare()
    work.allow("data", "training", "targets")
    work.prepare()
    assert any("now also vessel" in sentence and "is compared: tumor." in sentence for sentence in work.said)
    work.allow("data", "training", "targets", floors=[{"metric": "dice", "target": "tumor", "min_score": 0.3}])
    with pytest.raises(ConfigError, match="does not find vessel, and the change plan has no floor for it"):
        work.prepare()
    work.write_plan(dataset=dataset.model_copy(update={"labels": {"vessel": 2}}))
    with pytest.raises(ConfigError, match="no target in common"):
        work.prepare()


def test_a_withdrawn_patient_bars_the_champions_weights(work):
    table = case_table(14)
    work.write(table[table["case_id"] != "c-000001"].reset_index(drop=True))
    assert len(work.prepare()) == 2, "gone, but nobody withdrew: it is said, and the user decides"
    assert any("learned from 1 of those that are gone (c-000001)" in sentence for sentence in work.said)
    facts = {"patient": "t0mb", "n_cases": 1, "learned": ["lesionflow-phantom-ct version 3: trained on 1 case"]}
    append_entry(ledger_path(work.splits), EntryKind.WITHDRAWAL, facts)
    assert [start.source for start in work.prepare()] == ["none"]
    with pytest.raises(ConfigError, match="withdrawn"):
        work.prepare(ASKED._replace(initial_weights=InitialWeights.CHAMPION))
    append_entry(ledger_path(work.splits), EntryKind.WITHDRAWAL, {"patient": "t0mb", "readmitted": True})
    assert len(work.prepare()) == 2


def test_an_alias_that_leads_elsewhere_than_the_ledger_says_is_refused_before_training(work):
    about = {"model_name": "lesionflow-phantom-ct", "before": None, "by": "hand"}
    append_entry(ledger_path(work.splits), EntryKind.CHAMPION, {**about, "version": "2"})
    with pytest.raises(ArtifactError, match=r"Expected version 2 to be champion of .*, found version 3"):
        work.prepare()
    append_entry(ledger_path(work.splits), EntryKind.CHAMPION, {**about, "version": "3", "before": "2"})
    assert work.prepare()
    append_entry(ledger_path(work.splits), EntryKind.BARRED, {**about, "version": "3", "reason": "misses children"})
    work.prepare()
    assert any("version 3, barred on" in sentence and "misses children" in sentence for sentence in work.said)


def test_a_workspace_without_a_change_plan_is_told_that_and_goes_on(work):
    (work.folder / "change_plan.yaml").unlink()
    assert len(work.prepare()) == 2
    assert any("There is no change_plan.yaml" in sentence for sentence in work.said)


def test_the_first_model_has_nobody_to_be_compared_with(work):
    work.champion = None
    assert [start.source for start in work.prepare()] == ["none"]
    assert any("no champion yet" in sentence for sentence in work.said)
