"""Examples in docstrings are run: each gives what it says."""

import doctest
import pkgutil
from importlib import import_module

import pytest

from lesionflow import data, metrics

#: Packages whose examples are run.
PACKAGES = (metrics, data)
MODULES = [
    name
    for package in PACKAGES
    for name in (package.__name__, *(m.name for m in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")))
]


@pytest.mark.parametrize("name", MODULES)
def test_every_example_gives_what_it_says(name: str) -> None:
    result = doctest.testmod(import_module(name), optionflags=doctest.ELLIPSIS)
    assert not result.failed, f"{result.failed} of {result.attempted} examples in {name} give something else."


#: Methods have theirs in the docstring of their class.
PUBLIC = [
    (metric.name, metric.figure)
    for metric in metrics.METRICS.values()
    if getattr(metric.figure, "func", metric.figure).__qualname__.isidentifier()
]


@pytest.mark.parametrize(("name", "figure"), PUBLIC, ids=[name for name, _ in PUBLIC])
def test_every_metrics_function_has_an_example(name, figure) -> None:
    function = getattr(figure, "func", figure)
    examples = doctest.DocTestParser().get_examples(function.__doc__ or "")
    assert examples, (
        f"Expected an example with a number computed by hand in the docstring of {function.__name__}, found none."
    )
