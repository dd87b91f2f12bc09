"""The output formats: a module each, found by being here. No other place in the package lists them.

A new one is two files: a module here that holds its `WRITER`, and its row in the table of `tests/contract/test_output_formats.py`
that says how another library reads it back. `make made` writes its line in the pages. A test fails for a module without a `WRITER`.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules

from lesionflow.errors import ConfigError
from lesionflow.prediction.writer import Writer


def _find_writers() -> Iterator[Writer]:
    for name in sorted(module.name for module in iter_modules(__path__)):
        module = import_module(f"{__name__}.{name}")
        if hasattr(module, "WRITER"):
            yield module.WRITER


#: By name, in the order of the modules' names: where `Accept` has a wildcard, the first that fits answers.
WRITERS: Mapping[str, Writer] = {writer.name: writer for writer in _find_writers()}


def find_writer(name: str) -> Writer:
    """Return the format of that name.

    Raises:
        ConfigError: When there is none.
    """
    if name not in WRITERS:
        raise ConfigError(f"Expected one of the formats {', '.join(WRITERS)}, found {name!r}.")
    return WRITERS[name]
