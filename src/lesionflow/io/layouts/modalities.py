"""What files and datasets call their channels: several words for one thing, brought to one."""

import re
from collections.abc import Iterable

from lesionflow.errors import InputError
from lesionflow.io.rules import ReadingRules

#: Words seen in file names and in dataset.json, by the one that stands for all of them.
WORDS = {
    "CT": ("ct", "ctres"),
    "PET": ("pet", "pt", "suv", "suvbw"),
    "MR": ("mr", "mri"),
    "T1": ("t1", "t1n", "t1w", "t1pre"),
    "T1CE": ("t1ce", "t1c", "t1gd", "t1post", "t1km"),
    "T2": ("t2", "t2w"),
    "FLAIR": ("flair", "t2f", "t2flair"),
    "ADC": ("adc",),
    "DWI": ("dwi",),
}
_STANDS_FOR = {word: name for name, words in WORDS.items() for word in words}


def canonical(channel: str) -> str:
    """Return the one name of a channel: `t1gd` -> `T1CE`; an unknown word in capitals."""
    return _STANDS_FOR.get(channel.strip().lower(), channel.strip().upper())


def is_known(word: str) -> bool:
    """Tell whether a word in a file name is that of a channel."""
    return word.lower() in _STANDS_FOR


def choose_channels(rules: ReadingRules, declared: Iterable[str], *, name: str) -> dict[str, str]:
    """Find each wanted channel among those that a study or dataset has.

    Args:
        rules: The channels wanted; a rule with a description fits a name in which it is found, one without fits by its name.
        declared: What the study or dataset calls its channels; the single name "" when it gives none.
        name: What to call the study in messages.

    Returns:
        The declared name of each wanted channel.

    Raises:
        InputError: `missing_channel` or `ambiguous_channel`.
    """
    names = list(declared)
    if names == [""] and len(rules.channels) == 1:
        return {next(iter(rules.channels)): ""}
    return {channel: _choose(rules, channel, names, name) for channel in rules.channels}


def _choose(rules: ReadingRules, channel: str, declared: list[str], name: str) -> str:
    rule = rules.channels[channel]
    exact = [d for d in declared if canonical(d) == canonical(channel)]
    fitting = exact or [d for d in declared if d and rule.description and re.search(rule.description, d, re.IGNORECASE)]
    if len(fitting) == 1:
        return fitting[0]
    found = ", ".join(d or "one without a name" for d in declared) or "none"
    raise InputError(
        f"Expected one channel {channel} in {name}, found {found}. Add its image, or name the channels of ingest.channels as "
        "the files do.",
        reason="ambiguous_channel" if fitting else "missing_channel",
    )
