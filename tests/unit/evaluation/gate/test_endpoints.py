import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lesionflow.evaluation.gate import endpoints
from lesionflow.evaluation.gate.paired_scores import ScoredPair
from support.change_plans import change_plan
from support.paired_scores import scores_of

BASE = np.linspace(0.6, 0.8, 12)
NOISE = np.random.default_rng(1).normal(0.0, 0.02, 12)
NOISE -= NOISE.mean()


def pair(shift, target="tumor"):
    return ScoredPair(scores_of(BASE + shift + NOISE, target), scores_of(BASE, target))


def test_the_primary_gain_agrees_with_scipy() -> None:
    found = endpoints.measure_primary(pair(0.03), change_plan(), 0.02)
    expected = stats.permutation_test(
        (0.03 + NOISE,), np.mean, permutation_type="samples", alternative="greater", n_resamples=np.inf
    )
    assert found.p == pytest.approx(expected.pvalue)
    assert found.gain == pytest.approx(0.03 + NOISE.mean())
    assert (found.superior, found.worse, found.noninferior) == (True, False, True)
    assert found.low > 0.0


def test_a_loss_within_its_margin_is_no_inferiority_and_beyond_it_refuses() -> None:
    plan = change_plan(noninferiority=[{"metric": "dice", "target": "all", "margin": 0.05}])
    [within], [beyond] = endpoints.not_worse(pair(-0.02), plan), endpoints.not_worse(pair(-0.08), plan)
    assert within.held
    assert (beyond.held, beyond.refuses) == (False, True)
    wide = ScoredPair(scores_of(BASE - 0.03 + 6 * NOISE), scores_of(BASE))
    [unclear] = endpoints.not_worse(wide, plan)
    assert (unclear.held, unclear.refuses) == (False, False)


def test_a_figure_that_few_have_refuses_by_its_mean_alone() -> None:
    plan = change_plan(noninferiority=[{"metric": "hd95_mm", "target": "tumor", "margin": 2.0}])
    some = [5.0] * 3 + [np.nan] * 9
    ours, theirs = scores_of(BASE, hd95_mm=some), scores_of(BASE, hd95_mm=[4.0] * 3 + [np.nan] * 9)
    assert endpoints.not_worse(ScoredPair(ours, theirs), plan)[0].held
    worse = scores_of(BASE, hd95_mm=[9.0] * 3 + [np.nan] * 9)
    assert not endpoints.not_worse(ScoredPair(worse, theirs), plan)[0].held
    nobody = scores_of(BASE, hd95_mm=np.nan)
    assert "no patient has it" in endpoints.not_worse(ScoredPair(nobody, nobody), plan)[0].detail


def test_no_target_pays_for_another() -> None:
    liver, tumor = pair(0.1, "liver"), pair(-0.06)
    both = ScoredPair(pd.concat([liver.challenger, tumor.challenger]), pd.concat([liver.champion, tumor.champion]))
    found = {reason.rule: reason.held for reason in endpoints.no_target_worse(both, change_plan())}
    assert found == {"no_loss:liver": True, "no_loss:tumor": False}


def test_many_small_losses_are_seen_against_the_first() -> None:
    plan = change_plan(creep_margin=0.05)
    assert endpoints.no_creep(pair(-0.02), plan)[0].held
    assert endpoints.no_creep(pair(-0.07), plan)[0].refuses
    other = ScoredPair(scores_of(BASE), scores_of(BASE[:11]))
    assert "c11" in endpoints.no_creep(other, plan)[0].detail


def test_a_gain_that_another_seed_would_give_is_none() -> None:
    primary = endpoints.measure_primary(pair(0.03), change_plan(), 0.02)
    assert endpoints.beyond_seeds(primary, change_plan(), 0.01).held
    assert not endpoints.beyond_seeds(primary, change_plan(), 0.05).held


def test_few_patients_are_told_that_they_can_show_nothing() -> None:
    few = ScoredPair(scores_of(BASE[:4] + 0.1), scores_of(BASE[:4]))
    primary = endpoints.measure_primary(few, change_plan(), 0.02)
    found = endpoints.better(primary, change_plan(), 0.02)
    assert not found.held
    assert "4 patients can't show a gain" in found.detail


def test_each_lower_bound_says_its_level() -> None:
    plan = change_plan(alpha=0.05, noninferiority=[{"metric": "dice", "target": "all", "margin": 0.05}])
    primary = endpoints.measure_primary(pair(0.03), plan, 0.004)
    assert "with 99.6 % confidence; that it is" in endpoints.better(primary, plan, 0.004).detail
    assert "with 95 % confidence better by 0.0" in endpoints.not_worse(pair(0.03), plan)[0].detail


@pytest.mark.parametrize(
    ("theirs", "said"),
    [
        (
            3.0,
            "HD95 of tumor: worse by 1 mm than the champion, with 97.5 % confidence worse by 1 mm at most; a loss of more than 2 mm is ruled out.",
        ),
        (
            5.5,
            "HD95 of tumor: better by 1.5 mm than the champion, with 97.5 % confidence better by 1.5 mm at least; a loss of",
        ),
        (4.0, "HD95 of tumor: as good as the champion, with 97.5 % confidence no worse; a loss of"),
    ],
)
def test_whichever_way_a_metric_points_better_is_said_in_words(theirs, said) -> None:
    """A sign would not tell: less HD95 is a gain."""
    plan = change_plan(noninferiority=[{"metric": "hd95_mm", "target": "tumor", "margin": 2.0}])
    both = ScoredPair(scores_of(BASE, hd95_mm=[4.0] * 12), scores_of(BASE, hd95_mm=[theirs] * 12))
    assert said in endpoints.not_worse(both, plan)[0].detail


def test_metrics_are_named_as_the_field_writes_them() -> None:
    plan = change_plan(noninferiority=[{"metric": "surface_dice_2mm", "target": "all", "margin": 0.05}])
    exact = ScoredPair(scores_of(BASE, surface_dice_2mm=0.5), scores_of(BASE, surface_dice_2mm=0.25))
    assert endpoints.not_worse(exact, plan)[0].detail.startswith("Surface Dice at 2 mm of tumor: better by 0.25 than")
    primary = endpoints.measure_primary(exact, plan, 0.02)
    assert endpoints.better(primary, plan, 0.02).detail.startswith(
        "Mean gain in Dice of all targets +0 over 12 patients"
    )
    assert endpoints.no_target_worse(exact, plan)[0].detail == (
        "Dice of tumor: as good as the champion, not shown to be a loss."
    )


def test_a_loss_that_is_shown_is_called_one() -> None:
    primary = endpoints.measure_primary(pair(-0.1), change_plan(), 0.02)
    assert endpoints.better(primary, change_plan(), 0.02).detail == (
        "Mean gain in Dice of all targets -0.1 over 12 patients, a loss that chance does not explain: p = 0.00024 that it is none, and 0.025 suffices to "
        "show one, at any look."
    )
