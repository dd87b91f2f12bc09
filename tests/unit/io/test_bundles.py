"""What the program that lesionflow 0.1 stored with each registered version calls is still there by its name."""

from importlib import import_module

import pytest

from lesionflow.io import bundles
from lesionflow.io.stores.bundles import read_bundle

#: Of `registry/served_model.py` of 0.1.0, which MLflow keeps as text.
CALLED = {
    "lesionflow.inference": ("Segmenter",),
    "lesionflow.io.bundles": ("read_bundle",),
    "lesionflow.io.inputs": ("read_input", "unpacked"),
    "lesionflow.io.nifti": ("write_mask",),
    "lesionflow.preprocessing": ("align_channels",),
}


@pytest.mark.parametrize("module", CALLED)
def test_a_stored_program_finds_what_it_calls(module):
    assert all(callable(getattr(import_module(module), name)) for name in CALLED[module])


def test_it_is_the_reader_of_now():
    assert bundles.read_bundle is read_bundle
