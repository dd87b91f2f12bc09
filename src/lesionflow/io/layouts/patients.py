"""Which patient a case's name speaks of, where nothing but its name says so: one rule for all layouts.

Slices, follow-ups and lesions of one patient must not stand in training and test at once; so where a mark may be a
follow-up's or a slice's, it is taken for one, and said (`ingest.patient_pattern` says otherwise).
"""

import re
from typing import NamedTuple

#: Copies of one image that were turned over keep its name behind or before such a word.
COPY = r"(h|v)?flip(ped)?|mirror(ed)?|rot(ated)?\d*|aug(mented)?\d*"
COPY_BEFORE = re.compile(rf"^({COPY})[_-]", re.IGNORECASE)
BIDS = re.compile(r"(?<![A-Za-z0-9])sub-[A-Za-z0-9]+")
#: A DICOM UID (PS3.5, 9.1), whose numbers count nothing.
UID = re.compile(r"^[0-2](\.\d+){5,}$")
#: `patient 12`, `Patient-001`, `pat0005`, `subject_3`: what follows is of that patient.
SPOKEN = re.compile(
    r"^(?:.*?[_\-. (])?(?:patient(?:id)?|subject|subj|pat|pt)[_\-. ]?(?:id)?[_\-. ]?\d+[A-Za-z]?(?![A-Za-z0-9])",
    re.IGNORECASE,
)
NUMBER = re.compile(r"^\d+$")
#: A word that may end the patient's part before a bare number: a number, or a code such as `p12`, `case7`, `A1`.
OWN_NUMBER = re.compile(r"^(pat|patient|case|sub|subject|[a-z]{1,2})?\d+$", re.IGNORECASE)
CODE = re.compile(r"^[a-z]{1,2}\d+$", re.IGNORECASE)
DATE = re.compile(r"^((19|20)\d{6}|(19|20)\d\d)$")
#: The same with signs in it, and `03-23-2003`.
WRITTEN_DATE = re.compile(
    r"^(?P<left>.*?)[_\-. ]*(?<!\d)(?:(?:19|20)\d\d([_\-.])\d\d\2\d\d|\d\d([_\-.])\d\d\3(?:19|20)\d\d)$"
)
DATED = re.compile(r"^(\d{1,2}-\d{1,2}-(19|20)\d\d|(19|20)\d\d-?\d\d-?\d\d)(?!\d)")
TIME = "months?|mo|m|days?|d|weeks?|wk|w|years?|yrs?|y"
#: Marks that say a follow-up by themselves, whatever stands before them.
FOLLOW_UP = re.compile(
    r"^(fu\d*[a-z]?|follow-?up\d*|time-?point\d*|tp\d+|visit\d*|ses\d*|sess\d*|session\d*|baseline|bl\d*|pre|post|pre-?op|post-?op|"
    r"follow|pre-?rt|mid-?rt|post-?rt|pre-?treatment|post-?treatment|before|after|initial|recurrence|nadir|prior|current)$",
    re.IGNORECASE,
)
#: Marks that say so behind a number: months, a scan's count, or a weighting, which are one patient's in either case.
BEHIND_NUMBER = re.compile(
    rf"^(t\d[a-z]{{0,4}}|time\d+|v\d+|scan\d*|exam\d*|study\d*|mid|flair|ct|pt|pet|mr|adc|dwi|(month|week|day|year|m|w|d|y|wk)s?\d+|"
    rf"\d+({TIME})|slice\d*|sl\d+|frame\d*|img\d*|image\d*|im\d+|tile\d*|patch\d*|crop\d*|z\d+|axial\d*|sagittal\d*|coronal\d*|"
    rf"left|right|l|r|od|os|cc|mlo|[rln]\d+|(nodule|lesion|tumou?r|finding|les|met|mets|node|roi|ln)\d*|{COPY}|copy)$",
    re.IGNORECASE,
)
#: Words with a number behind them, which are then a mark together: `slice_4`, `week_000`, `R_1`.
COUNTED = re.compile(
    r"^(slice|sl|s|z|frame|img|image|im|tile|patch|crop|axial|sagittal|coronal|timepoint|tp|time|visit|ses|session|scan|exam|study|fu|up|"
    r"followup|month|week|day|year|baseline|r|l|n|nodule|lesion|tumou?r|finding|les|met|mets|node|roi|ln|cc|mlo|left|right|v|t|aug|rot)$",
    re.IGNORECASE,
)
SIDE = re.compile(r"^(.*\d)[LR]$")
#: Words that name no patient, so that nothing behind them may be taken off.
NOBODY = re.compile(
    r"^(case|scan|image|img|im|volume|vol|patient|subject|study|series|ct|mr|mri|pet|data|dataset|set|train|training|test|val|"
    r"mask|seg|lesion|tumou?r|nodule|slice|file|pic|picture|exam|visit|session)s?$",
    re.IGNORECASE,
)
#: Folders that hold many patients, though a number may stand in their names.
CONTAINER = re.compile(
    r"(^(ct|mr|mri|pet)[_\-. ]?\d+$|batch|part|fold|site|cent(er|re)|hospital|data|set|task|train|test|val|group|class|grade|stage|images?|scans?|volumes?|version|"
    r"(?<![A-Za-z])(19|20)\d\d(?!\d)|png|jpe?g|tiff?|nii|nifti)",
    re.IGNORECASE,
)
WHOLE = "the whole name"


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
    patient, marks_off = NamedPatient(name), False
    while cut := _cut_mark(patient.name, numbers=not marks_off):
        marks_off = marks_off or cut.told_by == SLICE
        patient = NamedPatient(
            cut.name, patient.told_by if patient.told_by != WHOLE else cut.told_by, patient.doubtful or cut.doubtful
        )
    if side := SIDE.match(patient.name):
        patient = NamedPatient(side[1], "the side behind it", doubtful=True)
    return patient


SLICE, MARK = "what stands before the last number", "what stands before a slice's, lesion's or follow-up's mark"


def _cut_mark(name: str, *, numbers: bool) -> NamedPatient | None:
    """Return the name without its last mark; None when it has none that may be taken off."""
    left, word = _last(name)
    before, counted = _last(left)
    first, behind = _last(before)
    number = bool(NUMBER.match(word))
    dated = WRITTEN_DATE.match(name)
    # What is left, whether the mark speaks for itself, and whether it is one.
    marks = (
        (dated["left"] if dated else "", True, bool(dated)),
        (before, bool(FOLLOW_UP.match(counted)), number and bool(COUNTED.match(counted))),
        (first, False, number and bool(NUMBER.match(counted) and COUNTED.match(behind))),
        (before, True, word.lower() == "up" and counted.lower() == "follow"),
        (left, True, bool(FOLLOW_UP.match(word))),
        (left, False, bool(BEHIND_NUMBER.match(word))),
    )
    for rest, speaks, is_one in marks:
        if is_one and rest and _names(rest, word=speaks):
            return NamedPatient(rest, MARK)
    may_count = numbers or DATE.match(word) or all(map(NUMBER.match, _words(name)))
    if left and number and may_count and OWN_NUMBER.match(counted):
        return NamedPatient(left, SLICE, doubtful=bool(CODE.match(counted)))
    return None


def _last(name: str) -> tuple[str, str]:
    """Return what stands before the last word of a name, and that word; the whole as the word where there is one."""
    match = re.match(r"^(.*[^_\-. ])[_\-. ]+([^_\-. ]+)$", name)
    return (match[1], match[2]) if match else ("", name)


def _names(left: str, *, word: bool) -> bool:
    """Tell whether what is left names somebody: by a number, or where a mark speaks for itself by a word of its own."""
    if re.search(r"\d", left):
        return True
    return word and len(left) > 1 and not all(NOBODY.match(w) for w in _words(left))
