"""Which patient a case's name speaks of, where nothing but its name says so: one rule for all layouts.

Slices, follow-ups and lesions of one patient must not stand in training and test at once; so where a mark may be a
follow-up's or a slice's, it is taken for one, and said (`ingest.patient_pattern` says otherwise).
"""

import re
from typing import NamedTuple

from lesionflow.io.layouts.patient_words import (
    BEFORE_CODE,
    BEHIND_NUMBER,
    BIDS,
    CODE,
    CONTAINER,
    COPY_BEFORE,
    COPY_NUMBER,
    COUNTED,
    DATE,
    DATE_WITHIN,
    DATED,
    FOLLOW_UP,
    KNOWN,
    NOBODY,
    NUMBER,
    OWN_NUMBER,
    SIDE,
    SPOKEN,
    UID,
    WRITTEN_DATE,
)

WHOLE = "the whole name"
#: A number of more digits is no site's.
MAX_SITE_DIGITS = 3


class NamedPatient(NamedTuple):
    """Whom a name speaks of, by which part of it, and whether that is a guess on the safe side."""

    name: str
    told_by: str = WHOLE
    doubtful: bool = False


def patient_of(case: str) -> str:
    """Return the patient's part of a case's name.

    Args:
        case: `10035_100` (patient and slice), `mirrored_10043_144`, `sub-07/ses-2/scan`, or any other name.

    Returns:
        `10035`, `10043`, `sub-07`; the name itself where it has no such parts.
    """
    return find_patient(case).name


def find_patient(case: str) -> NamedPatient:
    """Return the patient's part of a case's name, and what told it.

    Args:
        case: Folders and name, with `/` between.

    Returns:
        The patient; two cases are of one patient when these names are equal.
    """
    if bids := BIDS.search(case):
        return NamedPatient(bids[0], "`sub-` (BIDS)")
    folders, _, last = case.rstrip("/").rpartition("/")
    parts = [*folders.split("/"), last] if folders else [last]
    for depth, part in enumerate(parts):
        if known := KNOWN.search(part):
            return NamedPatient("/".join([*parts[:depth], known[0]]), "the form of a known collection")
        if spoken := SPOKEN.match(_original(part)):
            return NamedPatient("/".join([*parts[:depth], spoken[0]]), "the number behind the word patient")
    return _of_parts(parts)


def _of_parts(parts: list[str]) -> NamedPatient:
    last = _original(parts[-1])
    own = _own_part(last)
    parent = parts[-2] if len(parts) > 1 else ""
    if parent and re.search(r"\d", parent) and not CONTAINER.search(parent) and _only_marks(own.name):
        above = _of_parts(parts[:-1])
        # A date or a follow-up's word names an examination; a bare number may count patients.
        sure = bool(DATED.match(own.name)) or any(map(FOLLOW_UP.match, _words(last)))
        return NamedPatient(above.name, "the folder", doubtful=not sure)
    return NamedPatient("/".join([*parts[:-1], own.name]), own.told_by, own.doubtful)


def _original(name: str) -> str:
    while COPY_BEFORE.match(name):
        name = COPY_BEFORE.sub("", name)
    return name


def _only_marks(name: str) -> bool:
    """Tell whether a name counts or dates something and names nobody: `img1`, `003`, `week-044`, `03-23-2003-NA`."""
    return all(map(is_mark, _words(name))) or bool(DATED.match(name))


def is_mark(word: str) -> bool:
    """Tell whether a word counts or dates something, and so names nobody."""
    return any(pattern.match(word) for pattern in (NUMBER, BEHIND_NUMBER, FOLLOW_UP, COUNTED, NOBODY))


def _words(name: str) -> list[str]:
    return [word for word in re.split(r"[_\-. ()]+", name) if word]


def _own_part(name: str) -> NamedPatient:
    """Take marks off the end of a name, as long as what is left still names somebody."""
    if UID.match(name):
        return NamedPatient(name)
    patient, marks_off = _without_before(name), False
    while cut := _cut_mark(patient.name, numbers=not marks_off):
        marks_off = marks_off or cut.told_by == SLICE
        patient = NamedPatient(
            cut.name, patient.told_by if patient.told_by != WHOLE else cut.told_by, patient.doubtful or cut.doubtful
        )
    if side := SIDE.match(patient.name):
        patient = NamedPatient(side[1], "the side behind it", doubtful=True)
    return patient


def _without_before(name: str) -> NamedPatient:
    """Take off a mark that stands before a patient's code: a guess, as it may be a site's or a study's."""
    match = BEFORE_CODE.match(name)
    if not match:
        return NamedPatient(name)
    words = _words(match["mark"])
    marks = (BEHIND_NUMBER, FOLLOW_UP, DATE) if len(words) == 1 else (COUNTED,)
    first = _words(match["rest"])[0]
    if not any(mark.match(words[0]) for mark in marks) or is_mark(first) or _is_no_code(match["word"]):
        return NamedPatient(name)
    return NamedPatient(match["rest"], "the code behind a slice's, lesion's or examination's mark", doubtful=True)


def _is_no_code(word: str) -> bool:
    return is_mark(word) and word.lower() not in ("case", "patient", "subject")


SLICE, MARK = "what stands before the last number", "what stands before a slice's, lesion's or follow-up's mark"


def _cut_mark(name: str, *, numbers: bool) -> NamedPatient | None:
    """Return the name without its last mark; None when it has none that may be taken off."""
    if whole := _cut_date(name) or _cut_copy(name):
        return whole
    left, word = _last(name)
    before, counted = _last(left)
    first, behind = _last(before)
    number = bool(NUMBER.match(word))
    joint = counted + word
    dated = WRITTEN_DATE.match(name)
    # What is left, whether the mark speaks for itself, and whether it is one.
    marks = (
        (dated["left"] if dated else "", True, bool(dated)),
        (before, bool(FOLLOW_UP.match(counted)), number and bool(COUNTED.match(counted))),
        (first, False, number and bool(NUMBER.match(counted) and COUNTED.match(behind))),
        (
            before,
            bool(FOLLOW_UP.match(joint)),
            joint.isalpha() and any(m.match(joint) for m in (FOLLOW_UP, BEHIND_NUMBER)),
        ),
        (left, True, bool(FOLLOW_UP.match(word))),
        (left, False, bool(BEHIND_NUMBER.match(word))),
    )
    for rest, speaks, is_one in marks:
        if is_one and rest and _names(rest, word=speaks):
            return NamedPatient(rest, MARK)
    may_count = numbers or DATE.match(word) or all(map(NUMBER.match, _words(name)))
    if left and number and may_count and OWN_NUMBER.match(counted):
        return NamedPatient(left, SLICE, doubtful=_may_be_site(name, left, counted))
    return None


def _may_be_site(name: str, left: str, counted: str) -> bool:
    """Tell whether what stands before the last number may be a site's: `A1_3`, `01-001`, `1001-003`."""
    number = bool(NUMBER.match(counted))
    return bool(CODE.match(counted)) or (number and (len(counted) <= MAX_SITE_DIGITS or name[len(left)] == "-"))


def _cut_date(name: str) -> NamedPatient | None:
    """Cut a name at a date within it; a guess where numbers stand behind that."""
    match = DATE_WITHIN.match(name)
    if not match or not _names(match["left"], word=True):
        return None
    coded = bool(re.search(r"\d", match["behind"]))
    if coded and not re.search(r"\d", match["left"]):
        return None
    return NamedPatient(match["left"], "what stands before a date", doubtful=coded)


def _cut_copy(name: str) -> NamedPatient | None:
    match = COPY_NUMBER.match(name)
    return NamedPatient(match["left"], "what stands before a copy's number", doubtful=True) if match else None


def _last(name: str) -> tuple[str, str]:
    """Return what stands before the last word of a name, and that word; the whole as the word where there is one."""
    match = re.match(r"^(.*[^_\-. ])[_\-. ]+([^_\-. ]+)$", name)
    return (match[1], match[2]) if match else ("", name)


def _names(left: str, *, word: bool) -> bool:
    """Tell whether what is left names somebody: by a number, or where a mark speaks for itself by a word of its own."""
    if re.search(r"\d", left):
        return True
    return word and len(left) > 1 and not all(NOBODY.match(w) for w in _words(left))
