"""Sections of which cases there are; ranges of single keys are held against their words in test_reference.py."""

import pytest
from pydantic import ValidationError

from lesionflow.config import IngestConfig
from lesionflow.config.loading import load_params
from lesionflow.config.presets import find_params

INGEST = load_params(find_params("sts_petct"))["ingest"]


def test_the_order_of_channels_is_kept_as_it_is_that_of_the_network():
    channels = dict(reversed(INGEST["channels"].items()))
    assert list(IngestConfig(**{**INGEST, "channels": channels}).channels) == ["PET", "CT"]


@pytest.mark.parametrize(
    "changed", [{"channels": {}}, {"labels": {}}, {"dataset_name": "a b"}, {"labels": {"tumor": 0}}]
)
def test_a_data_set_without_inputs_or_outputs_is_refused(changed):
    IngestConfig(**INGEST)
    with pytest.raises(ValidationError, match=next(iter(changed))):
        IngestConfig(**{**INGEST, **changed})
