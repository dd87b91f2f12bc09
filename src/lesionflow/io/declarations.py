"""The `dataset.json` of nnU-Net and of the Decathlon: which number is which channel, which value which structure."""

from collections import defaultdict
from pathlib import Path
from typing import Any

from lesionflow.data.dataset import IGNORE
from lesionflow.data.volume import IGNORED
from lesionflow.errors import InputError
from lesionflow.io.files import parse_json
from lesionflow.machine.error_words import plain_words
from lesionflow.machine.faults import blame_machine

#: What reading and taking apart such a file raises when it is not one.
FAULTS = (OSError, ValueError, KeyError, TypeError, AttributeError)
#: Where `io.stores.cases` writes what the values mean, beside nnU-Net's regions, which do not say.
OURS = "lesionflow"


def read_declaration(path: Path, *, name: str) -> tuple[dict[str, int], dict[str, tuple[int, ...]]]:
    """Read what a data set declares.

    Args:
        path: `dataset.json`: of the Decathlon or nnU-Net 1 (structures and channels by number), or of nnU-Net 2 (numbers by name).
        name: What to call the case in messages.

    Returns:
        Channel numbers by name, and the values of each structure, background among them.

    Raises:
        InputError: `broken_dataset_json`, also for a name that stands there twice; `ambiguous_channel`.
    """
    try:
        content: dict[str, Any] = parse_json(path, object_pairs_hook=_once)
        channels = content["channel_names"] if "channel_names" in content else content["modality"]
        numbers = {str(channel): _whole(number) for number, channel in channels.items()}
        structures = _structures(content)
    except FAULTS as error:
        blame_machine(error)
        raise InputError(
            f"Expected channel_names or modality, and labels, in dataset.json of {name}, found: {plain_words(error)}. Mend it.",
            reason="broken_dataset_json",
        ) from error

    if len(numbers) < len(channels):
        raise InputError(
            f"Expected channels of different names in dataset.json of {name}, found one name for several. Name them apart.",
            reason="ambiguous_channel",
        )
    return numbers, structures


def _structures(content: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    declared = content["labels"]
    if OURS in content:
        declared = {**content[OURS]["labels"], **({IGNORE: IGNORED} if IGNORE in declared else {})}
    values: dict[str, list[int]] = defaultdict(list)
    if declared and all(_is_number(key) and isinstance(value, str) for key, value in declared.items()):
        # Version 1 may call two values alike: both are that structure.
        for number, structure in declared.items():
            values[structure].append(_whole(number))
    else:
        for structure, held in declared.items():
            values[structure] += [_whole(value) for value in (held if isinstance(held, list) else [held])]
    return {structure: tuple(held) for structure, held in values.items()}


def _is_number(text: str) -> bool:
    return text.strip().isdecimal()


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | str) or float(value) != int(float(value)):
        message = f"{value!r} is no whole number"
        raise ValueError(message)
    return int(float(value))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse what JSON readers take without a word, the last of two."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = sorted({key for key, _ in pairs if [k for k, _ in pairs].count(key) > 1})
        message = f"{', '.join(twice)} stands there twice"
        raise ValueError(message)
    return found
