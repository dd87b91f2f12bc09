"""The output formats: a module each, found by being here. No other place in the package lists them.

A new one is two files: a module here that holds its `WRITER`, and its row in the table of `tests/contract/test_output_formats.py`
that says how another library reads it back. `make made` writes its line in the pages. A test fails for a module without a `WRITER`.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from lesionflow.errors import ConfigError
from lesionflow.prediction.documents import DOCUMENTS
from lesionflow.prediction.writer import Writer


def _find_writers() -> Iterator[Writer]:
    for name in sorted(module.name for module in iter_modules(__path__)):
        module = import_module(f"{__name__}.{name}")
        if hasattr(module, "WRITER"):
            yield module.WRITER


#: By name, in the order of the modules' names: where `Accept` has a wildcard, the first that fits answers.
WRITERS: Mapping[str, Writer] = {writer.name: writer for writer in _find_writers()}


#: The report alone, no mask: what a name that ends so asks for.
REPORT_FORMAT, REPORT_SUFFIX = "json", ".json"


def find_format(output: Path, requested: str | None) -> str:
    """Return the format of a file by its name's end.

    Args:
        output: The file to write; its name alone is looked at.
        requested: The format that was asked for by name; None: the name's end decides.

    Returns:
        A key of `WRITERS` or of `DOCUMENTS`, or `REPORT_FORMAT`.

    Raises:
        ConfigError: When no format's files end so, or those of another than the one asked for.
    """
    ends = {suffix: name for name, writer in WRITERS.items() for suffix in writer.suffixes}
    ends |= {REPORT_SUFFIX: REPORT_FORMAT, **{document.suffix: name for name, document in DOCUMENTS.items()}}
    name = output.name.lower()
    found = next((ends[end] for end in sorted(ends, key=len, reverse=True) if name.endswith(end) and name != end), None)
    known = ", ".join(f"{end} ({name})" for end, name in ends.items())
    if found is None:
        raise ConfigError(f"Expected a file whose name ends with one of {known}, found {output.name!r}.")
    if requested is not None and requested != found:
        wanted = " or ".join(end for end, name in ends.items() if name == requested) or "no known end"
        raise ConfigError(
            f"Expected the name of a file of the format {requested} to end with {wanted}, found {output.name!r}, which is "
            f"{found}'s. Leave --format away, or name the file otherwise."
        )
    return found


def find_writer(name: str) -> Writer:
    """Return the format of that name.

    Raises:
        ConfigError: When there is none.
    """
    if name not in WRITERS:
        raise ConfigError(f"Expected one of the formats {', '.join(WRITERS)}, found {name!r}.")
    return WRITERS[name]
