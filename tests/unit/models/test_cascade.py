"""Two stages in one table of weights."""

from lesionflow.models.cascade import join_stages, part_stages


def test_both_stages_keep_their_weights_by_their_own_names() -> None:
    coarse, fine = {"down.0": 1, "output": 2}, {"down.0": 3, "coarse_head": 4}
    joined = join_stages(coarse, fine)
    assert joined == {"down.0": 3, "coarse_head": 4, "coarse.down.0": 1, "coarse.output": 2}
    assert part_stages(joined) == (coarse, fine)


def test_one_network_alone_has_no_first_stage() -> None:
    assert part_stages({"down.0": 3}) == ({}, {"down.0": 3})
