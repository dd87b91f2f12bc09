"""What an entry says without being told."""

from torch import nn

from lesionflow.models.architecture import Architecture


def test_an_entry_has_no_halvings_and_no_old_names_of_its_own() -> None:
    entry = Architecture("flat", nn.Conv2d, (2,), {}, r"down\.", "one convolution")
    assert (entry.halvings, entry.formerly, entry.weights) == (0, (), "")
