"""What params section `ingest` declares: the dataset that cases will be of, and the rules by which studies are read."""

import re

from lesionflow.config import IngestConfig
from lesionflow.data.dataset import Dataset
from lesionflow.errors import ConfigError
from lesionflow.io.rules import ReadingRules, SeriesRule


def dataset_of(config: IngestConfig) -> Dataset:
    """Return what the cases will hold; the reference channel first.

    Raises:
        ConfigError: When a pattern is no regular expression.
    """
    _require_patterns(config)
    return Dataset(
        name=config.dataset_name,
        channels={name: config.channels[name].kind for name in _channel_order(config)},
        labels=config.labels,
        regions=config.regions,
        series_descriptions={n: r.series_description for n, r in config.channels.items() if r.series_description},
        body_parts={n: r.body_part for n, r in config.channels.items() if r.body_part},
        reconstruction_kernels={
            n: r.reconstruction_kernel for n, r in config.channels.items() if r.reconstruction_kernel
        },
    )


def _require_patterns(config: IngestConfig) -> None:
    patterns = [("outlines", rule.pattern) for rule in config.outlines]
    for rule in config.channels.values():
        patterns += [
            ("channels", text) for text in (rule.series_description, rule.body_part, rule.reconstruction_kernel)
        ]
    patterns += [] if config.patient_pattern == "auto" else [("patient_pattern", config.patient_pattern)]
    for key, pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ConfigError(f"Expected a regular expression in ingest.{key}, found {pattern!r}: {error}.") from error


def _channel_order(config: IngestConfig) -> list[str]:
    """Put the reference channel first: prediction takes the first channel's grid."""
    return sorted(config.channels, key=lambda name: name != config.reference_channel)


def rules_of(config: IngestConfig) -> ReadingRules:
    """Return how studies are read."""
    series = {
        name: SeriesRule(rule.modality, rule.series_description, rule.body_part, rule.reconstruction_kernel)
        for name, rule in config.channels.items()
    }
    return ReadingRules(
        channels={name: series[name] for name in _channel_order(config)},
        reference=config.reference_channel,
        labels=config.labels,
        outlines=tuple((rule.pattern, rule.label) for rule in config.outlines),
        spacing_tolerance_fraction=config.slice_spacing_tolerance_fraction,
        regions=config.regions,
    )
