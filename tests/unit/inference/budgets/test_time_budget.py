"""Seconds that a network takes at the least: windows and products counted by hand."""

import os

import pytest

from lesionflow.inference.budgets import time_budget
from lesionflow.inference.budgets.convolution_sizes import ConvolutionSize
from lesionflow.inference.budgets.time_budget import MOST_A_CARD, MOST_A_CORE, n_windows, network_seconds
from support.bundles import small_plan


@pytest.mark.parametrize(
    ("shape", "n"),
    # Half overlapping: steps of 16, 32 and 24; what is smaller than a patch is one.
    [((32, 64, 48), 1), ((33, 64, 48), 2), ((96, 128, 96), 5 * 3 * 3), ((20, 30, 40), 1)],
)
def test_windows_are_counted_along_each_axis(shape, n):
    inference = small_plan().inference.model_copy(update={"overlap_fraction": 0.5})
    plan = small_plan().model_copy(update={"dimensions": 3, "patch_size": (32, 64, 48), "inference": inference})
    assert n_windows(plan, shape) == n


def test_a_slice_is_a_window():
    assert n_windows(small_plan(), (70, 512, 512)) == 70


def test_seconds_are_products_by_the_fastest_machine_there_is(monkeypatch):
    """1000 products an input, 600 slices of 512 x 512."""
    monkeypatch.setattr(
        time_budget, "convolution_sizes", lambda plan, shape: [ConvolutionSize(1, 20, 40), ConvolutionSize(1, 10, 20)]
    )
    plan = small_plan()
    assert plan.inference.flip_axes == ()
    cores = len(os.sched_getaffinity(0))
    found = network_seconds(plan, (600, 512, 512), "cpu")
    assert found == pytest.approx(600 * 1000 / (MOST_A_CORE * cores))
    assert network_seconds(plan, (600, 512, 512), "cuda") == pytest.approx(600 * 1000 / MOST_A_CARD)


def test_usual_studies_are_not_counted():
    assert network_seconds(small_plan(), (100, 512, 512), "cpu") == 0.0
