import numpy as np
import pytest

from lesionflow.data.fingerprint import CaseFacts
from lesionflow.planning.facts import summarize_facts


def _facts(number: int, spacing: tuple[float, float, float], tumor: tuple[float, float] = (30.0, 5.0)) -> CaseFacts:
    random = np.random.default_rng(number)
    body = np.stack([random.normal(0, 100, 2000), random.gamma(1.0, 1.0, 2000)]).astype(np.float32)
    inside = np.stack([random.normal(tumor[0], 10, 500), np.full(500, tumor[1])]).astype(np.float32)
    return CaseFacts(f"c-{number}", spacing, (40, 200, 300), 20.0 + number, body, inside)


def test_facts_are_medians_whatever_their_order() -> None:
    facts = [_facts(i, (3.0 + i, 0.8, 0.9)) for i in range(3)]
    one, other = summarize_facts(facts), summarize_facts(facts[::-1])
    assert one.median_spacing_mm == other.median_spacing_mm == (4.0, 0.8, 0.9)
    assert np.array_equal(one.body, other.body)
    assert one.median_tumor_ml == 21.0
    assert one.anisotropy == pytest.approx(5.0)
