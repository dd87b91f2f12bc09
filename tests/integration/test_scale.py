"""The simulation of many studies on many pods, against sums by hand."""

import pytest

from benchmarks import scale

COST = scale.StepCost(
    start_s=10.0, study_s=8.0, bytes_in=50e6, bytes_out=20e6, files_in=5, files_out=2, peak_mb=500.0
)  # fmt: skip


@pytest.fixture
def nothing_is_lost(monkeypatch):
    monkeypatch.setattr(scale, "LOST_FRACTION", 0.0)


@pytest.mark.usefixtures("nothing_is_lost")
def test_one_pod_takes_the_work_and_a_start_a_shard():
    made = scale.simulate(COST, 2000, 20, 1, seed=3)
    assert made.wall_s == pytest.approx(made.work_s + 20 * scale.POD_START_S)
    # 8 s on 4 cores, 70 MB at 100 MB/s; 10 s a shard. The draw's mean is the study's own.
    assert made.work_s == pytest.approx(2000 * (8 / 4 + 0.7) + 20 * 10, rel=0.05)


@pytest.mark.usefixtures("nothing_is_lost")
def test_more_pods_never_take_longer_than_their_share_and_the_longest_shard():
    walls = []
    for workers in (1, 4, 16, 20):
        made = scale.simulate(COST, 2000, 20, workers, seed=3)
        walls.append(made.wall_s)
        share = (made.work_s + 20 * scale.POD_START_S) / workers
        longest = 2 * (made.work_s / 20 + scale.POD_START_S)
        assert share <= made.wall_s + 1e-6
        assert made.wall_s <= share + longest
    assert walls == sorted(walls, reverse=True)


def test_lost_pods_cost_time_and_nothing_else(monkeypatch):
    monkeypatch.setattr(scale, "LOST_FRACTION", 0.0)
    whole = scale.simulate(COST, 2000, 20, 4, seed=3)
    monkeypatch.setattr(scale, "LOST_FRACTION", 0.3)
    torn = scale.simulate(COST, 2000, 20, 4, seed=3)
    assert torn.n_lost > 0
    assert torn.wall_s > whole.wall_s
    assert (torn.work_s, torn.n_requests, torn.n_bytes) == (whole.work_s, whole.n_requests, whole.n_bytes)


def test_requests_are_one_a_file_or_one_a_part_of_a_large_one():
    assert scale.requests_of(0, 0) == 0
    assert scale.requests_of(100, 100 * 1e6) == 100
    # 20 MiB: three parts of at most 8 MiB, begun and ended.
    assert scale.requests_of(10, 10 * (20 << 20)) == 10 * (3 + 2)
    made = scale.simulate(COST, 1000, 10, 4, seed=0)
    assert made.n_bytes == 1000 * 70e6
    # Files of 10 MB: two parts each, begun and ended.
    assert made.n_requests == 1000 * (5 + 2) * 4


def test_a_join_that_copies_moves_all_bytes_twice_through_one_pod():
    joined = scale.join(COST, 1000)
    assert joined.n_bytes == 2 * 1000 * 20e6
    assert joined.wall_s == pytest.approx(scale.POD_START_S + 400)
