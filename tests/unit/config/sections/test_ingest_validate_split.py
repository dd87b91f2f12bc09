"""Sections of which cases there are; ranges of single keys are held against their words in test_reference.py."""

import pytest
from pydantic import ValidationError

from lesionflow.config import IngestConfig, load_section
from lesionflow.config.loading import load_params
from lesionflow.config.presets import find_params
from lesionflow.config.sections.ingest_validate_split import ValidateConfig
from lesionflow.errors import ConfigError

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


@pytest.mark.parametrize("key", ["spacing_mm", "ct_range_hu", "tumor_volume_ml"])
def test_limits_in_the_wrong_order_are_refused(key: str) -> None:
    values = load_params(find_params("phantom_ct"))["validate"]
    with pytest.raises(ConfigError, match=f"{key}: .*expected the smaller before the larger, found 10 and 0.2"):
        load_section(ValidateConfig, values | {key: [10.0, 0.2]}, "validate")
