import numpy as np
import pandas as pd
import pytest

from lesionflow.evaluation.gate import harm
from lesionflow.evaluation.gate.paired_scores import ScoredPair
from support.change_plans import change_plan
from support.paired_scores import scores_of

BASE = np.full(40, 0.7)


def pair(gains, **columns):
    return ScoredPair(scores_of(BASE[: len(gains)] + gains, **columns), scores_of(BASE[: len(gains)], **columns))


def cases(sex):
    return pd.DataFrame({"case_id": [f"c{i}" for i in range(len(sex))], "sex": sex})


def held(reasons):
    return {reason.rule: reason.held for reason in reasons}


def test_a_declared_group_that_loses_is_seen() -> None:
    gains = np.array([-0.08] * 12 + [0.1] * 28)
    found = harm.spared_groups(pair(gains), change_plan(), cases(["F"] * 12 + ["M"] * 28))
    assert held(found) == {"no_hidden_group": True, "group:sex F": False, "group:sex M": True}
    assert found[1].figures["gain"] == pytest.approx(-0.08)


def test_a_small_group_is_pulled_towards_all() -> None:
    gains = np.array([-0.08] * 5 + [0.05] * 35)
    overall = gains.mean()
    [_, group, _] = harm.spared_groups(pair(gains), change_plan(), cases(["F"] * 5 + ["M"] * 35))
    assert group.held
    assert group.figures["gain"] == pytest.approx(0.5 * -0.08 + 0.5 * overall)


def test_a_quarter_that_nobody_declared_is_seen() -> None:
    noise = np.random.default_rng(2).normal(0.0, 0.05, 40)
    hidden = np.array([-0.15] * 10 + [0.05 + 0.2 / 3] * 30) + noise
    assert held(harm.spared_groups(pair(hidden), change_plan(), None)) == {"no_hidden_group": False}
    assert held(harm.spared_groups(pair(0.03 + noise), change_plan(), None)) == {"no_hidden_group": True}


def test_a_loss_just_beyond_its_margin_reads_as_more() -> None:
    gains = np.array([-0.0501] * 12 + [0.1] * 28)
    group = harm.spared_groups(pair(gains), change_plan(), cases(["F"] * 12 + ["M"] * 28))[1]
    assert not group.held
    assert (
        group.detail
        == "12 patients with sex F: worse by 0.0501 in Dice than by the champion; a loss of 0.05 is allowed."
    )


def test_who_loses_most_how_much_what_is_allowed_and_why_it_cannot_be_told() -> None:
    wide = np.array([-0.3, -0.24, -0.225, *[0.0] * 6, 0.22, 0.24, 0.3])
    found = harm.spared_groups(pair(wide), change_plan(), None)[0]
    assert (found.held, found.refuses) == (False, False)
    for words in (
        "3 of 12 (c0, c1, c2), lose 0.255 in Dice on average",
        "0.1 is allowed, twice what a known group may lose",
        "lies about as far above the middle patient as they lie below it: all may lose alike, or scatter by chance",
        "which it is can't be told. Beyond 0.15 it is not let pass.",
    ):
        assert words in found.detail
    lopsided = harm.spared_groups(pair(np.array([-0.4] * 3 + [0.0] * 9)), change_plan(), None)[0]
    assert lopsided.refuses
    assert "a group of patients is served worse" in lopsided.detail
    just_beyond = harm.hidden_group(np.array([-0.100004] * 3 + [0.05] * 9), 0.05, "dice")
    assert "lose 0.100004 in Dice" in just_beyond.detail
    alike = harm.hidden_group(np.linspace(-0.22, -0.06, 16), 0.05, "dice")
    assert not alike.held
    assert "gains " not in alike.detail, "where everybody loses nobody gains"
    passed = harm.hidden_group(wide / 2, 0.05, "dice")
    assert passed.held
    assert "up to 0.15 is let pass" in passed.detail
    assert "3 of 12, gain 0.02 in Dice" in harm.hidden_group(np.full(12, 0.02), 0.05, "dice").detail


def test_lost_masks_are_bounded_above() -> None:
    one, none = np.array([-0.5] + [0.0] * 39), np.zeros(40)
    lost = harm.safe(pair(one), change_plan(), None)[-1]
    # 1 of 40: at most 0.1316 but for 2.5 % (Clopper and Pearson).
    assert lost.figures["lost_high"] == pytest.approx(0.1316, abs=1e-4)
    assert not lost.held
    assert "c0" in lost.detail
    assert harm.safe(pair(none), change_plan(), None)[-1].held
    few = harm.safe(pair(none[:8]), change_plan(), None)[-1]
    assert few.held, "eight patients could never show less than a tenth"
    assert "can't show more" in few.detail


def test_spelling_splits_no_group_that_loses() -> None:
    spelled = ["SIEMENS", "Siemens", "siemens", "Siemens Healthineers"] * 3
    gains = np.array([-0.08] * 12 + [0.1] * 28)
    makers = pd.DataFrame({"case_id": [f"c{i}" for i in range(40)], "manufacturer": spelled + ["GE"] * 28})
    plan = change_plan(subgroups={"columns": ["manufacturer"], "min_patients": 10, "margin": 0.05})
    found = harm.spared_groups(pair(gains), plan, makers)
    assert held(found) == {"no_hidden_group": True, "group:manufacturer GE": True, "group:manufacturer Siemens": False}
