"""Whole judgements: each situation and its verdict."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lesionflow.evaluation.gate import Verdict, judge
from support.change_plans import change_plan
from support.paired_scores import scores_of

N = 20
BASE = np.linspace(0.55, 0.85, N)
NOISE = np.random.default_rng(8).normal(0.0, 0.02, N)
NOISE -= NOISE.mean()


def verdict_of(challenger, champion, plan=None, **asked):
    given_ = {"looks_spent": 0, "subgroups": None, "same_test_set": True, **asked}
    return judge(challenger, champion, plan or change_plan(), **given_)


CHAMPION = scores_of(BASE)
SITUATIONS = {
    "better": (scores_of(BASE + 0.05 + NOISE), CHAMPION, {}, Verdict.SUPERIOR),
    "equal, and known well": (scores_of(BASE + NOISE), CHAMPION, {}, Verdict.NON_INFERIOR),
    "equal, known badly": (scores_of(BASE + 5 * NOISE), CHAMPION, {}, Verdict.CANT_TELL),
    "worse": (scores_of(BASE - 0.05 + NOISE), CHAMPION, {}, Verdict.WORSE),
    "first": (CHAMPION, None, {}, Verdict.FIRST),
    "first, of few": (scores_of(BASE[:5]), None, {}, Verdict.CANT_TELL),
    "first, empty": (scores_of([]), None, {}, Verdict.REFUSED),
    "first, below the floor": (scores_of(BASE - 0.5), None, {}, Verdict.REFUSED),
    "another test set": (scores_of(BASE + 0.05), CHAMPION, {"same_test_set": False}, Verdict.REFUSED),
    "a case is lacking": (scores_of(BASE[:-1] + 0.05), CHAMPION, {}, Verdict.REFUSED),
    "an empty champion": (scores_of(BASE), scores_of([]), {}, Verdict.REFUSED),
    "budget spent": (scores_of(BASE + 0.05 + NOISE), CHAMPION, {"looks_spent": 20}, Verdict.CANT_TELL),
    "crept": (
        scores_of(BASE + 0.05 + NOISE), CHAMPION, {"first_authorized": scores_of(BASE + 0.14)}, Verdict.REFUSED,
    ),
    "no more than seeds": (scores_of(BASE + 0.05 + NOISE), CHAMPION, {"seed_limit": 0.1}, Verdict.NON_INFERIOR),
    "one mask lost": (
        scores_of(np.concatenate([BASE[1:] + 0.1, [0.0]])), scores_of([*BASE[1:], 0.6]), {}, Verdict.CANT_TELL,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SITUATIONS)
def test_situations(name) -> None:
    challenger, champion, asked, expected = SITUATIONS[name]
    found = verdict_of(challenger, champion, **asked)
    assert found.verdict is expected, found.sentence()
    assert found.promote == (expected in {Verdict.FIRST, Verdict.SUPERIOR})


def test_who_is_no_worse_enters_only_where_the_plan_says_so() -> None:
    equal = scores_of(BASE + NOISE)
    assert not verdict_of(equal, CHAMPION).promote
    may = change_plan(noninferior_may_enter=True)
    assert verdict_of(equal, CHAMPION, may, newer_data=True).promote
    assert not verdict_of(equal, CHAMPION, newer_data=True).promote
    # Of the same data it brings nothing.
    found = verdict_of(equal, CHAMPION, may)
    assert (found.verdict, found.promote) == (Verdict.NON_INFERIOR, False)
    assert "learned from the same data as the champion" in found.sentence()
    spent = verdict_of(equal, CHAMPION, change_plan(noninferior_may_enter=True), looks_spent=20)
    assert (spent.verdict, spent.promote) == (Verdict.CANT_TELL, False)


def test_a_spent_budget_says_how_many_fresh_patients_restore_it() -> None:
    found = verdict_of(scores_of(BASE + 0.05), CHAMPION, looks_spent=25)
    [budget] = [reason for reason in found.reasons if reason.rule == "look_budget"]
    assert (found.alpha, found.look, budget.figures["fresh_patients"]) == (0.0, 26, 21.0)
    assert "21 test patients whom no decision has seen" in budget.detail


def test_a_look_gets_no_more_than_looks_before_it_have_left() -> None:
    better, many = scores_of(BASE + 0.05 + NOISE), change_plan(looks=1000)
    found = verdict_of(better, CHAMPION, many, looks_spent=20, alpha_spent=0.025)
    assert (found.alpha, found.verdict, found.promote) == (0.0, Verdict.CANT_TELL, False)
    assert "have spent 0.025, and the change plan has 0.025 for all of them" in found.sentence()
    assert "21 test patients whom no decision has seen restore the budget" in found.sentence()
    # A plan of a higher alpha has what it has more.
    found = verdict_of(better, CHAMPION, change_plan(alpha=0.03, looks=1), alpha_spent=0.025)
    assert found.alpha == pytest.approx(0.005)
    [budget] = [reason for reason in found.reasons if reason.rule == "look_budget"]
    assert "what decisions before it have left: they have spent 0.025" in budget.detail


def test_a_liver_does_not_pay_for_its_tumors() -> None:
    ours = pd.concat([scores_of(BASE + 0.10, "liver"), scores_of(BASE - 0.06, "tumor")])
    theirs = pd.concat([scores_of(BASE, "liver"), scores_of(BASE, "tumor")])
    for target in ("all", "liver"):
        plan = change_plan(primary={"metric": "dice", "target": target, "min_gain": 0.0}, noninferiority=[])
        found = verdict_of(ours, theirs, plan)
        assert found.verdict is Verdict.REFUSED
        assert [reason.rule for reason in found.broken] == ["no_loss:tumor"]


@given(st.lists(st.floats(-0.2, 0.2), min_size=8, max_size=14), st.randoms(use_true_random=False))
@settings(max_examples=6, deadline=None)
def test_order_of_rows_and_names_of_patients_change_nothing(gains, random) -> None:
    base = np.linspace(0.4, 0.8, len(gains))
    ours, theirs = scores_of(base + gains), scores_of(base)
    plain = verdict_of(ours, theirs)
    order = random.sample(range(len(gains)), len(gains))
    assert verdict_of(ours.iloc[order], theirs).verdict is plain.verdict
    renamed = [t.assign(patient_id="x" + t["patient_id"]) for t in (ours, theirs)]
    assert verdict_of(*renamed).verdict is plain.verdict
    assert plain.promote == (plain.verdict is Verdict.SUPERIOR)


def test_a_better_challenger_is_never_judged_worse_for_being_better() -> None:
    shares = [verdict_of(scores_of(BASE + shift + NOISE), CHAMPION).promote for shift in np.linspace(-0.1, 0.1, 9)]
    assert shares == sorted(shares)
