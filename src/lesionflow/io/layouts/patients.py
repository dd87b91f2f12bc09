"""Which patient a file name speaks of, where nothing but its name says so."""

import re

#: Copies of one image that were turned over keep its name behind such a word.
COPY = re.compile(r"^((h|v)?flip(ped)?|mirror(ed)?|rot(ated)?\d*|aug(mented)?\d*)[_-]", re.IGNORECASE)
BIDS = re.compile(r"(?<![A-Za-z0-9])sub-[A-Za-z0-9]+")
#: `<patient>_<slice>`: what stands before the last number, if that ends in a number of its own.
NUMBERED = re.compile(
    r"^(?P<patient>(?:.*[_\- .])?(?:pat|patient|case|sub|subject|p|pt)?\d+)[_\- .]\d+$", re.IGNORECASE
)


def patient_of(case: str) -> str:
    """Return the patient's part of a case's name.

    Args:
        case: `10035_100` (patient and slice), `mirrored_10043_144`, `sub-07/ses-2/scan`, or any other name.

    Returns:
        `10035`, `10043`, `sub-07`; the name itself where it has no such parts.
    """
    if bids := BIDS.search(case):
        return bids[0]
    folder, slash, last = case.rstrip("/").rpartition("/")
    while COPY.match(last):
        last = COPY.sub("", last)
    numbered = NUMBERED.match(last)
    return folder + slash + (numbered["patient"] if numbered else last)
