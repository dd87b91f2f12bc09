"""Counted by hand, for the first and last convolution of a small U-Net of two resolutions."""

from lesionflow.inference.budgets.convolution_sizes import convolution_sizes
from support.bundles import small_plan


def test_the_first_and_last_convolution_are_those_of_the_plan():
    plan = small_plan()
    sizes = convolution_sizes(plan, (7, 30, 41))
    multiple_of = 2 ** plan.architecture.options["depth"]
    rows, columns = (-(-n // multiple_of) * multiple_of for n in (30, 41))
    base = plan.architecture.options["base_channels"]
    assert sizes[0] == (3 * rows * columns, base * rows * columns, 3 * 9)
    # The head gives one number a voxel out of the first resolution's channels.
    assert sizes[-1] == (base * rows * columns, rows * columns, base)


def test_a_batch_is_so_many_times_as_large_with_the_same_weights():
    one, four = (convolution_sizes(small_plan(), (7, 32, 32), n) for n in (1, 4))
    assert [(4 * a.n_in, 4 * a.n_out, a.n_weights) for a in one] == four
