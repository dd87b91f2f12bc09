"""What is asked of two models before they are scored."""

import re
from pathlib import Path

import pytest

from lesionflow.config.change_plan import Change
from lesionflow.data.bundle import Ancestor, Bundle
from lesionflow.data.dataset import Dataset
from lesionflow.data.ledger import EntryKind, LedgerEntry
from lesionflow.data.seal import Seal, SealState
from lesionflow.steps.promote.admission import (
    Bar,
    change_permitted,
    changes_between,
    not_barred,
    not_learned_from,
    plan_came_first,
    same_meaning,
    trusted,
)
from support.bundles import small_bundle
from support.case_tables import case_table
from support.change_plans import change_plan

TABLE = case_table(12)
#: `small_bundle` learned from c-000001 and c-000002, and was judged by c-000003.
TEST = ("c-000008", "c-000009")


def _with(card=None, plan=None, seal=None):
    bundle = small_bundle()
    return Bundle(
        bundle.plan.model_copy(update=plan or {}),
        bundle.weights,
        bundle.card.model_copy(update=card or {}),
        seal=seal or Seal(),
    )


def test_who_began_with_the_weights_of_one_that_knows_a_withdrawn_patient_is_refused():
    ancestor = Ancestor(source="models:/knees/3", digest="d" * 64, learned_cases=("c-000001",), cases_known=True)
    warm = _with({"ancestors": (ancestor,)})
    withdrawn, rolled_back = (Bar("version 3, barred", withdrawn, "d" * 64) for withdrawn in (True, False))
    refused = not_barred("5", warm, {"3": withdrawn})
    assert (refused.held, refused.refuses) == (False, True)
    assert "began with the weights of version 3, which learned from a patient who was withdrawn" in refused.detail
    assert not_barred("5", warm, {"3": rolled_back}).held, "what was rolled back may be trained on from"
    assert not_barred("5", small_bundle(), {"3": withdrawn}).held
    assert "The challenger is version 3, barred" in not_barred("3", small_bundle(), {"3": rolled_back}).detail


def test_a_model_that_knows_no_test_patient_is_admitted():
    reason = not_learned_from("challenger", small_bundle(), TEST, TABLE)
    assert reason.held
    assert "among the 3 cases that the challenger learned from" in reason.detail


@pytest.mark.parametrize("case_id", ["c-000001", "c-000003"])
def test_trained_and_validation_cases_are_both_learned_from(case_id):
    reason = not_learned_from("champion", small_bundle(), (*TEST, case_id), TABLE)
    assert (reason.held, reason.refuses, reason.figures["n_leaks"]) == (False, True, 1.0)
    assert f"The champion has learned from 1 of the test cases: {case_id} (the same case)" in reason.detail


def test_an_ancestor_that_knows_a_test_patient_is_found():
    ancestor = Ancestor(source="models:/old/1", digest="d" * 64, learned_cases=("c-000009",), cases_known=True)
    reason = not_learned_from("challenger", _with({"ancestors": (ancestor,)}), TEST, TABLE)
    assert not reason.held
    assert "Models:/old/1, which the challenger started from, has learned from 1 of the test cases" in reason.detail


def test_a_model_is_refused_where_nobody_knows_what_an_ancestor_learned_from():
    published = Ancestor(source="https://x.example/w", digest="d" * 64, learned_cases=(), cases_known=False)
    known = Ancestor(source="models:/old/1", digest="d" * 64, learned_cases=("c-000001",), cases_known=True)
    for ancestors in ((published,), (known, published)):
        found = not_learned_from("challenger", _with({"ancestors": ancestors}), TEST, TABLE)
        assert (found.held, found.refuses) == (False, True)
        assert "What https://x.example/w had learned from is not known" in found.detail
        assert "`train.transfer.source: none`" in found.detail
    # A card that was written before cards listed ancestors.
    old = not_learned_from(
        "champion", _with({"transfer": {"source": "models:/old@champion", "digest": "d" * 64}}), TEST, TABLE
    )
    assert (old.held, old.refuses) == (False, True)
    assert "What models:/old@champion had learned from" in old.detail
    assert not_learned_from("challenger", _with({"ancestors": (known,)}), TEST, TABLE).held


def test_weights_of_photographs_know_no_patient():
    """Those whose digests docs/training.md names."""
    page = (Path(__file__).resolve().parents[4] / "docs" / "training.md").read_text()
    digests = re.findall(r"sha256: ([0-9a-f]{8})", page) + re.findall(r"`b\d-([0-9a-f]{8})`", page)
    assert len(digests) == 6
    for digest in digests:
        weights = Ancestor(source="https://x.example/w", digest=digest + "0" * 56, learned_cases=(), cases_known=False)
        early = {"source": "https://x.example/w", "digest": weights.digest}
        for card in ({"ancestors": (weights,)}, {"transfer": early}):
            assert not_learned_from("challenger", _with(card), TEST, TABLE).held


def test_cases_that_are_gone_from_the_table_are_counted():
    reason = not_learned_from("challenger", _with({"trained_cases": ("c-gone",)}), TEST, TABLE)
    assert reason.figures["n_cases_gone"] == 1.0
    assert "1 of its cases are no longer in the case table" in reason.detail


def test_each_part_that_changed_is_told():
    same = small_bundle()
    assert changes_between(same, small_bundle()) == ()
    wider = same.plan.architecture.model_copy(update={"options": {**same.plan.architecture.options, "depth": 9}})
    for changed, expected in (
        (_with({"data_revision": "e" * 64}), (Change.DATA,)),
        (_with({"train_params": {"seed": 99}}), (Change.TRAINING,)),
        (_with(plan={"patch_size": (3, 64, 64)}), (Change.PLAN,)),
        (_with(plan={"architecture": wider}), (Change.ARCHITECTURE,)),
        (_with(plan={"spacing_mm": (None, 1.0, 1.0)}), (Change.PREPROCESSING,)),
        (
            _with(plan={"dataset": same.plan.dataset.model_copy(update={"labels": {"tumor": 1, "cyst": 2}})}),
            (Change.TARGETS,),
        ),
    ):
        assert changes_between(changed, same) == expected


def test_only_what_the_plan_lets_change_may_change():
    plan = change_plan(what_may_change=["data"])
    new_data = _with({"data_revision": "e" * 64})
    assert change_permitted(new_data, small_bundle(), plan).held
    both = change_permitted(_with({"data_revision": "e" * 64}, {"patch_size": (3, 64, 64)}), small_bundle(), plan)
    assert (both.held, both.refuses) == (False, True)
    assert "does not let plan change" in both.detail


@pytest.mark.parametrize(
    ("state", "word", "held"),
    [
        ("unsigned", "allowed", True),
        ("unsigned", "refused", False),
        ("signed", "refused", False),
        ("trusted", "refused", True),
    ],
)
def test_who_vouches_for_a_bundle_counts_as_far_as_the_plan_asks(state, word, held):
    bundle = _with(seal=Seal(state=SealState(state), key_id="ab" * 32 if state != "unsigned" else ""))
    found = trusted("challenger", bundle, change_plan(unsigned_bundles=word))
    assert found.held is held
    assert found.detail.endswith("is unsigned; the change plan allows that.") is (word == "allowed")


def test_a_model_of_others_is_refused_where_nobody_knows_what_it_learned_from():
    unknown = not_learned_from("challenger", _with({"learned_from": "unknown"}), TEST, TABLE)
    assert (unknown.held, unknown.refuses) == (False, True)
    stated = not_learned_from("challenger", _with({"learned_from": "stated"}), TEST, TABLE)
    assert stated.held
    assert "those that somebody stated" in stated.detail


def test_a_target_of_the_same_name_must_be_of_the_same_labels():
    liver = Dataset(name="livers", channels={"CT": "ct"}, labels={"liver": 1, "tumor": 2}, regions={})
    more = liver.model_copy(update={"labels": {"liver": 1, "tumor": 2, "vessel": 3}})
    united = liver.model_copy(update={"regions": {"liver": (2, 1), "tumor": (2,)}})
    models = [_with(plan={"dataset": dataset}) for dataset in (liver, more, united)]
    assert same_meaning(models[1], models[0]).held
    found = same_meaning(models[2], models[0])
    assert (found.held, found.refuses) == (False, True)
    assert "liver ([1, 2], of the champion [1])" in found.detail
    assert changes_between(models[1], models[0]) == (Change.TARGETS,)


@pytest.mark.parametrize(
    ("kind", "facts", "words"),
    [
        (
            EntryKind.DECISION,
            {"change_plan_version": 3, "change_plan_sha256": "c" * 64},
            "decided on 2026-01-02) is by version 3",
        ),
        (
            EntryKind.TEST_READ,
            {"change_plan_sha256": "c" * 64},
            "read on 2026-01-02) is by the one before it (cccccccccccc)",
        ),
    ],
)
def test_a_plan_that_came_after_the_figures_is_refused_and_names_the_one_before(kind, facts, words):
    plan = change_plan(version=4)
    assert plan_came_first("7", None, plan).held
    found = plan_came_first("7", LedgerEntry(5, "2026-01-02T03:04:05+00:00", kind, facts, "", ""), plan)
    assert (found.held, found.refuses) == (False, True)
    assert words in found.detail
    assert found.detail.startswith(
        f"Version 4 of the change plan ({plan.digest:.12}) was made after this challenger was judged: entry 5"
    )
    assert "train anew" in found.detail
    assert "`lesionflow models promote 7 --name NAME --reason REASON`" in found.detail
