import pytest

from lesionflow.config import IngestConfig, load_params
from lesionflow.config.presets import find_params
from lesionflow.errors import ConfigError
from lesionflow.steps.ingest.declaration import dataset_of, rules_of


def config(**changes):
    return IngestConfig.model_validate(load_params(find_params("sts_petct"))["ingest"] | changes)


def test_the_reference_channel_comes_first_in_dataset_and_rules():
    given = config(reference_channel="PET")
    assert list(dataset_of(given).channels.items()) == [("PET", "pet"), ("CT", "ct")]
    assert list(rules_of(given).channels) == ["PET", "CT"]


def test_outlines_become_rules_in_their_order():
    outlines = [{"pattern": "(?i)gtv.*", "label": "tumor"}, {"pattern": "ring", "label": "background"}]
    rules = rules_of(config(labels={"tumor": 3}, outlines=outlines))
    assert rules.label_of("GTV 1") == 3
    assert rules.is_unwanted("ring")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"outlines": [{"pattern": "(", "label": "tumor"}]}, r"\("),
        ({"patient_pattern": "("}, r"\("),
    ],
)
def test_what_is_no_regular_expression_is_named(changes, named):
    with pytest.raises(ConfigError, match=named):
        dataset_of(config(**changes))
