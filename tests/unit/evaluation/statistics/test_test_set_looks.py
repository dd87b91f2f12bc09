"""Looks at a test set by what the ledger says: counted by hand."""

import pytest

from lesionflow.data.ledger import EntryKind
from lesionflow.evaluation.statistics.test_set_looks import alpha_spent, looks_spent, seen_before_plan
from lesionflow.io.stores.ledger import append_entry, note_read, read_ledger

SET, OTHER = "ab" * 32, "ef" * 32
FACTS = {"step": "evaluate", "run_id": "r-1", "n_cases": 5, "test_set_sha256": SET}
OLD, NEW = "01" * 32, "02" * 32


def read_of(path, bundle, **facts):
    note_read(path, {**FACTS, "bundle_digest": bundle, **facts})


def decision_of(path, bundle, look, *, alpha=0.0, plan=OLD, before="1", promote=False, test_set=SET):
    facts = {"bundle_digest": bundle, "look": look, "alpha": alpha, "before": before, "promote": promote}
    facts |= {"change_plan_sha256": plan, "test_set_sha256": test_set}
    return append_entry(path, EntryKind.DECISION, facts)


def test_looks_are_models_read_since_there_is_a_champion(tmp_path):
    path = tmp_path / "ledger.jsonl"
    read_of(path, "one")
    read_of(path, "two")
    assert looks_spent(read_ledger(path), SET) == 2
    append_entry(path, EntryKind.CHAMPION, {"version": "1", "bundle_digest": "one", "by": "gate"})
    assert looks_spent(read_ledger(path), SET) == 0
    read_of(path, "three")
    read_of(path, "three")
    read_of(path, "one", step="promote")
    read_of(path, "one")
    read_of(path, "elsewhere", test_set_sha256="cd" * 32)
    assert looks_spent(read_ledger(path), SET) == 1
    assert looks_spent(read_ledger(path), SET, challenger="three") == 0
    append_entry(path, EntryKind.CHAMPION, {"version": "3", "bundle_digest": "three", "by": "gate"})
    assert looks_spent(read_ledger(path), SET) == 1


def test_who_was_evaluated_before_the_first_champion_is_a_look_once_judged(tmp_path):
    path = tmp_path / "ledger.jsonl"
    for bundle in ("one", "two", "three", "four"):
        read_of(path, bundle)
    append_entry(path, EntryKind.DECISION, {"bundle_digest": "one", "look": 4, "before": None})
    append_entry(path, EntryKind.CHAMPION, {"version": "1", "bundle_digest": "one", "by": "gate"})
    for number, bundle in enumerate(("two", "three", "four"), 1):
        assert looks_spent(read_ledger(path), SET, challenger=bundle) == number - 1
        read_of(path, bundle, step="promote")
        append_entry(path, EntryKind.DECISION, {"bundle_digest": bundle, "look": number, "before": "1"})
    # Who was not admitted was not scored, and another test set is another budget.
    append_entry(path, EntryKind.DECISION, {"bundle_digest": "five", "look": 0, "before": "1"})
    assert looks_spent(read_ledger(path), SET) == 3
    assert looks_spent(read_ledger(path), "cd" * 32) == 0


def test_a_champion_that_was_found_forgives_no_look_before_it(tmp_path):
    path = tmp_path / "ledger.jsonl"
    for bundle in ("one", "two", "three"):
        read_of(path, bundle)
    append_entry(path, EntryKind.CHAMPION, {"version": "1", "bundle_digest": "one", "by": "found"})
    assert looks_spent(read_ledger(path), SET) == 2


def test_one_more_patient_does_not_buy_all_looks_anew(tmp_path):
    path = tmp_path / "ledger.jsonl"
    read_of(path, "one", test_patients=["p-1", "p-2", "p-3"])
    read_of(path, "two", test_patients=["p-1", "p-2", "p-3"])
    entries = read_ledger(path)
    assert looks_spent(entries, "ef" * 32) == 0
    assert looks_spent(entries, "ef" * 32, test_patients=["p-1", "p-2", "p-3", "p-4"]) == 2
    assert looks_spent(entries, "ef" * 32, test_patients=["p-1", "p-4", "p-5"]) == 0


def test_who_is_judged_again_has_another_look_and_who_judges_anew_after_a_conflict_has_none(tmp_path):
    path = tmp_path / "ledger.jsonl"
    append_entry(path, EntryKind.CHAMPION, {"version": "1", "bundle_digest": "one", "by": "gate"})
    read_of(path, "two")
    for number in range(3):
        assert looks_spent(read_ledger(path), SET, challenger="two") == number
        decision_of(path, "two", number + 1)
    assert looks_spent(read_ledger(path), SET, challenger="three") == 3
    read_of(path, "three", step="promote")
    begun = decision_of(path, "three", 4, promote=True)
    append_entry(path, EntryKind.UNDONE, {"of": begun.sha256})
    assert looks_spent(read_ledger(path), SET, challenger="three") == 3
    assert looks_spent(read_ledger(path), SET, challenger="four") == 4
    decision_of(path, "three", 4)
    assert looks_spent(read_ledger(path), SET, challenger="three") == 4


def test_alpha_that_was_spent_is_spent_by_whatever_plan(tmp_path):
    path = tmp_path / "ledger.jsonl"
    for bundle in ("one", "two", "three", "four"):
        read_of(path, bundle, test_patients=["p-1", "p-2"])
    # Who had no champion to beat spent nothing.
    decision_of(path, "one", 1, alpha=0.01, before=None)
    decision_of(path, "two", 1, alpha=0.01)
    decision_of(path, "three", 2, alpha=0.004, plan=NEW)
    begun = decision_of(path, "four", 3, alpha=0.002, promote=True)
    append_entry(path, EntryKind.UNDONE, {"of": begun.sha256})
    entries = read_ledger(path)
    assert alpha_spent(entries, SET, challenger="five") == pytest.approx(0.016)
    # The one whose promotion was undone is judged anew by the same look.
    assert alpha_spent(entries, SET, challenger="four") == pytest.approx(0.014)
    assert alpha_spent(entries, OTHER) == 0.0
    assert alpha_spent(entries, OTHER, test_patients=["p-1", "p-9"]) == pytest.approx(0.016)


def test_a_plan_that_first_appears_after_a_bundle_was_judged_comes_late_for_it_alone(tmp_path):
    path = tmp_path / "ledger.jsonl"
    read_of(path, "two", step="promote")
    assert seen_before_plan(read_ledger(path), "two", OLD, SET) is None
    judged = decision_of(path, "two", 1, plan=OLD)
    entries = read_ledger(path)
    assert seen_before_plan(entries, "two", OLD, SET) is None
    assert seen_before_plan(entries, "two", NEW, SET) == judged
    assert seen_before_plan(entries, "three", NEW, SET) is None
    # Other patients are another test set, by which nobody has judged it.
    assert seen_before_plan(entries, "two", NEW, OTHER) is None
    read_of(path, "three", step="promote")
    decision_of(path, "three", 2, plan=NEW)
    # It was named meanwhile, but not before the first was judged.
    assert seen_before_plan(read_ledger(path), "two", NEW, SET) == judged


def test_a_plan_comes_late_for_whom_evaluate_has_read_under_another(tmp_path):
    path = tmp_path / "ledger.jsonl"
    read_of(path, "two", change_plan_sha256=OLD)
    read_of(path, "old")
    entries = read_ledger(path)
    assert seen_before_plan(entries, "two", OLD, SET) is None
    assert seen_before_plan(entries, "two", NEW, SET) == entries[0]
    # A read of before, that says nothing of plans.
    assert seen_before_plan(entries, "old", NEW, SET) is None
    read_of(path, "three", change_plan_sha256=NEW)
    assert seen_before_plan(read_ledger(path), "three", NEW, SET) is None
