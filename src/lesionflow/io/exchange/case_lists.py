"""Lists of cases that somebody states: nnU-Net's `splits_final.json`, our `lesionflow_cases.json`, a JSON list, or a name a line."""

import json
from pathlib import Path
from typing import Any

from lesionflow.errors import ConfigError
from lesionflow.io.files import MAX_JSON_BYTES
from lesionflow.machine.faults import blame_machine

TRAINED = "train"


def read_case_list(path: Path) -> tuple[str, ...]:
    """Return the names of cases that a file states as learned from, sorted.

    Args:
        path: A JSON list of names, a list of folds (`train`, `val`), `lesionflow_cases.json` (whose cases to train are taken), or a
            text file with a name a line. An empty list states that there are none.

    Raises:
        ConfigError: When it is none of these.
    """
    try:
        text = path.read_bytes()[:MAX_JSON_BYTES].decode("utf-8")
    except (OSError, ValueError) as error:
        blame_machine(error)
        raise ConfigError(f"Expected a list of cases in {path.name}, found a file that can't be read.") from error
    if not text.lstrip().startswith(("[", "{")):
        return tuple(sorted({line.strip() for line in text.splitlines() if line.strip()}))
    try:
        return tuple(sorted(set(_names(json.loads(text)))))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ConfigError(
            f"Expected a list of case names, nnU-Net's splits_final.json or lesionflow_cases.json in {path.name}, found something else."
        ) from error


def _names(content: Any) -> list[str]:
    if isinstance(content, dict):
        return [str(case["case_id"]) for case in content["cases"] if case["use"] == TRAINED]
    names: list[str] = []
    for entry in content:
        names += [str(name) for name in (*entry["train"], *entry["val"])] if isinstance(entry, dict) else [_name(entry)]
    return names


def _name(entry: object) -> str:
    if not isinstance(entry, str):
        message = f"a name was expected, {entry!r:.40} is none"
        raise TypeError(message)
    return entry
