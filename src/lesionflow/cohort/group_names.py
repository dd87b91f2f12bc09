"""One hospital, one maker, one group, however it is spelled: by case, blanks and Unicode's form nothing is told apart.

A group of 40 that stands under five spellings is five groups of eight, none of which shows a loss.
"""

import re
import unicodedata
from collections.abc import Iterable

import pandas as pd

#: What a group of those is called of whom nothing is known.
UNKNOWN = "unknown"
#: What people and programs write where they know or tell nothing.
SAY_NOTHING = frozenset(
    (
        UNKNOWN,
        "none",
        "n/a",
        "na",
        "nan",
        "null",
        "nil",
        "unspecified",
        "not specified",
        "not available",
        "not known",
        "not given",
    )
) | frozenset(("anonymous", "anonymized", "anonymised", "removed", "withheld"))
#: Makers by the first word of what their scanners write (Manufacturer, 0008,0070), as one maker has had several names; Toshiba's scanners have been
#: Canon's since 2018. Two words where the first is no name.
MAKERS = {
    "siemens": "Siemens",
    "philips": "Philips",
    "ge": "GE",
    "gems": "GE",
    "general electric": "GE",
    "canon": "Canon, Toshiba",
    "toshiba": "Canon, Toshiba",
}


def folded(name: object) -> str:
    """Return what all spellings of a name share; empty where it says nothing.

    Examples:
        >>> folded(" HOSP  A "), folded("Hosp A"), folded("N/A"), folded(None), folded("---")
        ('hosp a', 'hosp a', '', '', '')
    """
    text = " ".join(unicodedata.normalize("NFKC", str(name)).casefold().split())
    return "" if text in SAY_NOTHING or not re.search(r"\w", text) else text


def group_names(values: Iterable[object], *, makers: bool = False) -> list[str]:
    """Return the group of each value: a maker's known name, else the spelling that most of its values have; `unknown` where it says nothing.

    Args:
        values: As they are written.
        makers: Whether they are makers of scanners, and `MAKERS` holds.

    Examples:
        >>> group_names(["Hosp A", "HOSP A", "Hosp  A", "hosp b", "n/a", None, "Hosp A"])
        ['Hosp A', 'Hosp A', 'Hosp A', 'hosp b', 'unknown', 'unknown', 'Hosp A']
        >>> group_names(["SIEMENS", "Siemens Healthineers", "CANON_MEC"], makers=True)
        ['Siemens', 'Siemens', 'Canon, Toshiba']
    """
    written = pd.Series([" ".join(str(value).split()) for value in values], dtype=object)
    keys = written.map(folded)
    known = {key: _maker(key) for key in keys.unique()} if makers else {}
    keys = keys.map(lambda key: known.get(key) or key)
    # By number, then by the alphabet: the same whatever the order of the rows.
    counts = pd.DataFrame({"key": keys, "written": written}).value_counts().reset_index()
    first = counts.sort_values(["count", "written"], ascending=[False, True]).drop_duplicates("key")
    names = dict(zip(first["key"], first["written"], strict=True)) | {name: name for name in known.values() if name}
    return [names[key] if key else UNKNOWN for key in keys]


def _maker(key: str) -> str | None:
    words = re.split(r"[^a-z0-9]+", key)
    return MAKERS.get(words[0]) or MAKERS.get(" ".join(words[:2]))
