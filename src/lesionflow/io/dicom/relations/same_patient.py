"""Which studies are of one patient, by what their files say of the person (PS3.3 C.7.1.1).

An ID that de-identification gives to everybody is no ID: studies that have it are one patient's only when they also tell the
same birth date, name and sex.
"""

import logging
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lesionflow.io.notes import note

#: The attributes of a `Person`, in its order.
PERSON_TAGS = ("PatientID", "PatientName", "PatientBirthDate", "PatientSex")
#: What stands for an ID where nobody is named, in small letters and without what is neither letter nor digit.
NOBODY = re.compile(
    r"0*|x+|n(one|ull|a|il|oid|oname)|(un|not)(known|named|defined|available|specified)|undef|missing|empty|"
    r"(anon|anonymous|anonymi[sz]ed?|deidentified|deid|pseudonymi[sz]ed|removed|redacted|hidden|deleted|blank)(patient|id|subject|user)?|"
    r"(patient|subject)(id|name)?|id|default|dummy"
)

logger = logging.getLogger(__name__)


class Person(NamedTuple):
    """What a study says of its patient.

    Args:
        patient_id: (0010,0020), see `significant`.
        name: (0010,0010).
        born: (0010,0030).
        sex: (0010,0040).
    """

    patient_id: str
    name: str = ""
    born: str = ""
    sex: str = ""


def significant(text: Any) -> str:
    """Return the characters of a long string (LO) that mean something: blanks around it are padding (PS3.5 6.2)."""
    return str(text or "").strip(" \0\t\r\n")


def person_of(data: Any) -> Person:
    """Return what a data set says of its patient."""
    return Person(*(significant(data.get(k)) for k in PERSON_TAGS))


def names_nobody(patient_id: str) -> bool:
    """Tell whether an ID is one that stands for no patient: empty, `ANONYMOUS`, `000000`."""
    return NOBODY.fullmatch(re.sub(r"[\W_]", "", patient_id).casefold()) is not None


def patient_key(study: str, person: Person) -> str:
    """Return what names a study's patient.

    Args:
        study: The study's key.
        person: What it says of its patient.

    Returns:
        The ID; where that stands for nobody, all that is told of the person, if the birth date is; else the study's key.
    """
    if not names_nobody(person.patient_id):
        return person.patient_id
    if not person.patient_id or not person.born:
        return study
    return f"{person.patient_id}\\{person.name}\\{person.born}\\{person.sex}"


def patient_keys(persons: Mapping[str, Person]) -> dict[str, str]:
    """Return what names each study's patient, and say what is doubtful.

    Args:
        persons: By the key of their study.

    Returns:
        As `patient_key` says, which does not depend on what other studies there are.
    """
    keys = {study: patient_key(study, person) for study, person in persons.items()}
    _say_nobody(persons, keys)
    _say_unlike(persons)
    _say_cases(persons)
    return keys


def _say_nobody(persons: Mapping[str, Person], keys: Mapping[str, str]) -> None:
    nobody = [study for study, person in persons.items() if names_nobody(person.patient_id)]
    if len(nobody) > 1:
        n_patients = len({keys[study] for study in nobody})
        _warn(
            f"Expected a patient ID in every study, found {len(nobody)} with none or one that stands for nobody (ANONYMOUS, 0): they "
            f"are counted as {n_patients} patients, by name, birth date and sex where an ID and a birth date are told, else one a study. Are some of "
            "one patient? Then give them an ID: a patient in training and test at once makes scores too good."
        )


def _say_unlike(persons: Mapping[str, Person]) -> None:
    by_id: dict[str, list[Person]] = defaultdict(list)
    for person in persons.values():
        if not names_nobody(person.patient_id):
            by_id[person.patient_id].append(person)
    unlike = [own for own in by_id.values() if _differ([p.born for p in own]) or _differ([p.sex for p in own])]
    if unlike:
        _warn(
            f"Expected one birth date and sex for each patient ID, found several for {len(unlike)} of {len(by_id)} IDs: the studies "
            "of each ID are counted as one patient. If an ID was given twice, tell the patients apart."
        )


def _differ(told: Sequence[str]) -> bool:
    """Tell whether studies contradict one another; what is not told contradicts nothing."""
    return len({text for text in told if text}) > 1


def _say_cases(persons: Mapping[str, Person]) -> None:
    spellings: dict[str, set[str]] = defaultdict(set)
    for person in persons.values():
        if not names_nobody(person.patient_id):
            spellings[person.patient_id.casefold()].add(person.patient_id)
    n_alike = sum(len(own) for own in spellings.values() if len(own) > 1)
    if n_alike:
        _warn(
            f"Expected patient IDs that differ by more than capital letters, found {n_alike} that do not: each is counted as a patient "
            "of its own. If they are the same, spell them alike."
        )


def _warn(message: str) -> None:
    logger.warning("%s", message)
    note("doubtful_patients", message)
