"""Names of one folder that differ by a short ending which no rule knows: they may be of one patient, and are taken so."""

import re
from collections import defaultdict
from collections.abc import Mapping

from lesionflow.io.layouts.patient_in_name import NamedPatient

#: `P12_foo`, `001a`, `P12_x2`; what stands before it has a number.
ENDING = re.compile(r"^(?P<base>.*\d[^\W_]*)(?:[_\-. ]+(?P<word>[^\W\d_]{1,12}\d*)|(?<=\d)(?P<letter>[A-Za-z]))$")
#: A code that is a patient's own behind a site's.
OWN_CODE = re.compile(r"^(p|pat|pt|patient|sub|subject|case|id)\d+$", re.IGNORECASE)
#: More letters are taken off only where several names end with the same ones.
MAX_SHORT = 4
TOLD_BY = "what stands before an unknown ending"


def joined(patients: Mapping[str, NamedPatient]) -> tuple[dict[str, NamedPatient], list[str]]:
    """Join patients whose names differ by a short ending alone, or by capitals.

    Args:
        patients: By case, as each name alone tells.

    Returns:
        The patients, where joined as a guess; and the cases left apart whose names differ by a longer ending.
    """
    folded = _one_writing(patients)
    groups: dict[str, dict[str, str]] = defaultdict(dict)
    for patient in folded.values():
        base, ending = _parted(patient.name)
        groups[base][patient.name] = ending
    several = {base: ends for base, ends in groups.items() if len(ends) > 1}
    counts: dict[str, int] = defaultdict(int)
    for ends in several.values():
        for ending in ends.values():
            counts[ending] += 1
    names, apart = {}, set()
    for base, ends in several.items():
        known = {name for name, ending in ends.items() if not ending or _is_ending(ending, counts[ending])}
        if len(known) > 1:
            names.update(dict.fromkeys(known, base))
        apart |= set(ends) - known
    found = {
        key: NamedPatient(names[p.name], TOLD_BY, doubtful=True) if p.name in names else p for key, p in folded.items()
    }
    return found, sorted(key for key, p in folded.items() if p.name in apart)


def _parted(name: str) -> tuple[str, str]:
    match = ENDING.match(name)
    if not match:
        return name, ""
    return match["base"], (match["word"] or match["letter"]).casefold()


def _is_ending(ending: str, times: int) -> bool:
    if OWN_CODE.match(ending):
        return False
    return times > 1 or (ending.isalpha() and len(ending) <= MAX_SHORT)


def _one_writing(patients: Mapping[str, NamedPatient]) -> dict[str, NamedPatient]:
    """Write names alike that differ by capitals alone: `Pat_01`, `pat_01`."""
    first: dict[str, str] = {}
    for patient in patients.values():
        first.setdefault(patient.name.casefold(), patient.name)
    return {
        key: p
        if first[p.name.casefold()] == p.name
        else NamedPatient(first[p.name.casefold()], p.told_by, doubtful=True)
        for key, p in patients.items()
    }
