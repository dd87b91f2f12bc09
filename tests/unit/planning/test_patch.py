import pytest

from lesionflow.errors import ConfigError
from lesionflow.planning.facts import summarize_facts
from support.plans import FINGERPRINT, make_facts, plan_of


def test_the_batch_fills_the_budget_and_no_more() -> None:
    # A sample of 208 x 304 takes 63.232 MB: 14.2 of them and 61.7 of them fit beside the weights.
    assert plan_of(FINGERPRINT, memory_budget_mb=1000).batch_size == 14
    assert plan_of(FINGERPRINT, memory_budget_mb=4000).batch_size == 32


def test_a_patch_is_cut_where_it_is_longest_beside_the_body_until_two_fit() -> None:
    plan = plan_of(FINGERPRINT, memory_budget_mb=150)
    # 208 x 304 covers 200 x 300; two samples of the patch must fit into 50 MB beside the weights.
    _, rows, columns = plan.patch_size
    assert rows * columns / 1000 * 2 <= 50 < (rows + 16) * (columns + 16) / 1000 * 2
    assert abs(rows / 200 - columns / 300) < 16 / 200
    assert plan.batch_size == 2
    (why,) = (d.why for d in plan.decisions if d.what == "patch_size")
    assert "3 x 208 x 304 would cover" in why


def test_a_budget_that_holds_nothing_says_which_number_to_raise() -> None:
    with pytest.raises(ConfigError, match=r"plan.memory_budget_mb to hold 2 samples of 1 MB.*Raise it to 102"):
        plan_of(FINGERPRINT, memory_budget_mb=100)


def test_a_pinned_batch_that_does_not_fit_is_refused_with_the_number_that_would() -> None:
    # 96 x 96 takes 9.216 MB: 40 of them 368.64, beside 100.
    pinned = {"patch_size": (3, 96, 96), "batch_size": 40}
    with pytest.raises(ConfigError, match=r"Raise it to 469"):
        plan_of(FINGERPRINT, memory_budget_mb=468, **pinned)
    assert plan_of(FINGERPRINT, memory_budget_mb=469, **pinned).batch_size == 40


def test_a_patch_of_one_coarsest_voxel_is_never_chosen_and_refused() -> None:
    with pytest.raises(ConfigError, match="can't be normalized"):
        plan_of(FINGERPRINT, patch_size=(3, 16, 16))
    tiny = summarize_facts([make_facts(0, (3.0, 0.05, 0.05))])
    assert plan_of(tiny, spacing_mm=(None, 1.0, 1.0)).patch_size == (3, 16, 32)
    with pytest.raises(ConfigError, match=r"Raise it to 10\d"):
        plan_of(FINGERPRINT, memory_budget_mb=100)


def test_a_pinned_patch_has_the_context_that_is_pinned() -> None:
    with pytest.raises(ConfigError, match=r"begin with the 3 of plan.context_slices"):
        plan_of(FINGERPRINT, patch_size=(1, 96, 96))


def test_a_patch_that_the_network_can_not_halve_is_refused() -> None:
    with pytest.raises(ConfigError, match="multiples of 16"):
        plan_of(FINGERPRINT, patch_size=(3, 90, 96))
