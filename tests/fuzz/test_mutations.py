"""Some hundreds of the ten thousand broken files of `benchmarks/fuzz.py`: each is read, or refused by an error of ours."""

import pytest

from benchmarks import fuzz

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not fuzz.DATA.exists(), reason="needs the real data of ../shared/data"),
]

#: Each real file in ten or so different ways.
N_MUTANTS = 400


def test_nothing_but_named_errors_comes_out():
    outcomes = {number: outcome for number, _, outcome, _ in fuzz.read_all(0, N_MUTANTS)}
    assert {number: outcome for number, outcome in outcomes.items() if outcome.startswith("UNNAMED")} == {}
    # The mutants reach into the readers: they are refused for many reasons, and some are still whole.
    assert len(set(outcomes.values())) > 10
    assert "read" in outcomes.values()


def test_the_same_number_is_the_same_mutant():
    first = [(name, outcome) for _, name, outcome, _ in fuzz.read_all(40, 60)]
    assert first == [(name, outcome) for _, name, outcome, _ in fuzz.read_all(40, 60)]
