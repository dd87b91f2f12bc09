"""A whole chain, and each way in which it breaks, by name."""

import pytest

from lesionflow.io.attestations.chain import read_lines, verify_chain
from lesionflow.io.attestations.statements import Attestation, write_statement


def step(name, subjects, materials, key_id=""):
    return Attestation(name, subjects, materials, "", "", "", "", "", "", key_id)


INGEST = step("ingest", {"cases": "c1"}, {"raw": "r1"}, "team")
SPLIT = step("split", {"splits": "s1"}, {"cases": "c1"}, "team")
TRAIN = step("train", {"bundle": "b1"}, {"cases": "c1", "splits": "s1"}, "team")
ALL = (INGEST, SPLIT, TRAIN)


def faults(attestations, sha256="b1", trusted=()):
    return verify_chain(attestations, {"bundle": sha256}, trusted).faults


def test_a_whole_chain_is_followed_to_the_studies():
    found = verify_chain((*ALL, step("other", {"x": "1"}, {})), {"bundle": "b1", "change_plan": "p1"}, {"team"})
    assert [one.step for one in found.steps] == ["train", "ingest", "split"]
    assert found.whole
    assert found.in_words() == "train <- split <- ingest, signed by team"
    assert verify_chain((INGEST,), {"cases": "c1"}).whole


def test_steps_are_told_in_the_order_in_which_they_took_from_one_another():
    """All nine but the last, as the pipeline runs them: the names' own order is another one."""
    takes = {
        "ingest": ("raw",), "validate": ("cases",), "split": ("cases", "validation"), "plan": ("cases", "splits"),
        "preprocess": ("cases", "plan"), "train": ("cases", "preprocessed", "splits", "plan"),
        "evaluate": ("cases", "splits", "bundle"), "register": ("bundle", "evaluation"),
    }  # fmt: skip
    makes = ("cases", "validation", "splits", "plan", "preprocessed", "bundle", "evaluation", "registration")
    steps = [step(n, {made: made}, {t: t for t in takes[n]}) for n, made in zip(takes, makes, strict=True)]
    for shuffled in (steps, steps[::-1], sorted(steps, key=lambda one: one.step)):
        found = verify_chain(shuffled, {"registration": "registration"})
        told = "register <- evaluate <- train <- preprocess <- plan <- split <- validate <- ingest, unsigned"
        assert found.in_words() == told


def test_statements_that_take_from_one_another_in_a_ring_are_told_all_the_same():
    ring = (step("a", {"x": "1"}, {"y": "1", "raw": "r"}), step("b", {"y": "1"}, {"x": "1"}))
    assert verify_chain(ring, {"x": "1"}).in_words() == "a <- b, unsigned"


def test_an_output_that_was_altered_before_the_next_step_took_it_is_named_with_both():
    train = step("train", {"bundle": "b1"}, {"cases": "c1", "splits": "s9"})
    assert faults((INGEST, SPLIT, train)) == (
        "the splits that train took (s9) is not what was made (s1 by split): it was altered in between",
    )
    assert faults(ALL, "b9") == ("the bundle (b9) is not what was made (b1 by train): it was altered in between",)


def test_a_step_that_was_left_out_is_named_by_what_it_makes():
    (said,) = faults((INGEST, TRAIN))
    assert said.startswith("no step attests the splits that train took (s1): a step was left out")
    (said,) = faults(())
    assert said.startswith("no step attests the bundle (b1)")


def test_a_step_that_was_left_out_after_a_change_is_told_by_what_others_took():
    again = step("ingest", {"cases": "c2"}, {"raw": "r2"})
    plan = step("plan", {"plan": "p1"}, {"cases": "c2", "splits": "s1"})
    found = verify_chain((INGEST, again, SPLIT, plan), {"plan": "p1"})
    assert found.faults == (
        "not all steps took one and the same cases (c2 by plan, c1 by split): after a change of it a step was left out",
    )
    # The same split may be made of either: the way on which all took the same is whole.
    both = (step("split", {"splits": "s1"}, {"cases": "c2"}), SPLIT)
    for splits in (both, both[::-1]):
        assert verify_chain((INGEST, again, *splits, plan), {"plan": "p1"}).whole


def test_a_chain_without_studies_at_its_beginning_is_not_whole():
    assert faults((step("train", {"bundle": "b1"}, {"change_plan": "p"}),)) == ("no step of the chain read studies",)


@pytest.mark.parametrize(
    ("key_id", "said"), [("", "split is unsigned"), ("somebody", "split is signed by the key somebody")]
)
def test_where_keys_are_trusted_every_step_must_be_signed_by_one(key_id, said):
    chain = (INGEST, step("split", {"splits": "s1"}, {"cases": "c1"}, key_id), TRAIN)
    assert faults(chain) == ()
    (found,) = faults(chain, trusted={"team"})
    assert found.startswith(said)


def test_a_circle_ends_and_is_not_whole():
    circle = (step("a", {"bundle": "b1"}, {"x": "1"}), step("b", {"x": "1"}, {"bundle": "b1"}))
    assert faults(circle) == ("no step of the chain read studies",)


def test_a_line_that_can_not_be_read_is_a_fault():
    lines = [*(write_statement(one, None) for one in ALL), "{"]
    (said,) = faults(read_lines(lines))
    assert said.startswith("Expected a step's attestation")
    assert faults(read_lines(lines[:-1])) == ()
