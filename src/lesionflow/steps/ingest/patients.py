"""Whose each study is, where files say it by their names alone: by one rule or the team's pattern, and what was taken is said."""

import logging
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from lesionflow.errors import ConfigError
from lesionflow.io.layouts.patient_in_name import SLICE, WHOLE, NamedPatient, find_patient, is_mark
from lesionflow.io.layouts.patients_alike import TOLD_BY as ENDING
from lesionflow.io.layouts.patients_alike import joined
from lesionflow.io.notes import note
from lesionflow.io.rules import SourceStudy

#: Layouts whose files or folders say the patient themselves.
SAID_BY_FILES = ("dicom", "mask_series")
AUTO = "auto"
#: A name that ends with a number behind one that ends with a number or with a letter of its own.
COUNTED = re.compile(r"^(?P<base>.*\d[a-z]?)[_\-. ]\d+$", re.IGNORECASE)
#: More names than this that differ by an unknown ending alone are hardly one patient's.
MAX_ENDINGS = 4

logger = logging.getLogger(__name__)


def with_patients(studies: Sequence[SourceStudy], layout: str, pattern: str) -> list[SourceStudy]:
    """Say whose each study is.

    Args:
        studies: As the layout found them.
        layout: Its name.
        pattern: `ingest.patient_pattern`: `auto`, or a regular expression whose first group is the patient.

    Returns:
        The studies with their patients; notes say what was taken for them, and what is doubtful.

    Raises:
        ConfigError: When the pattern has no group, or fits no name.
    """
    if layout in SAID_BY_FILES:
        if pattern != AUTO:
            _warn(
                "unused_patient_pattern",
                f"ingest.patient_pattern is not used: the layout {layout} says the patient itself.",
            )
        return list(studies)
    by_name = _agreed({source.key: find_patient(source.key) for source in studies})
    patients = by_name if pattern == AUTO else _by_pattern(by_name, pattern)
    _say(patients)
    return [replace(source, patient_key=patients[source.key].name) for source in studies]


def _agreed(patients: Mapping[str, NamedPatient]) -> dict[str, NamedPatient]:
    """Take the whole names where a rule that only guesses would make one patient of all: `R01-001`, `R01-002`, ..."""
    told, apart = joined(patients)
    if _counts_patients(told):
        _warn(
            "doubtful_patients",
            f"Each of {len(patients)} names is counted as a patient of its own, though all begin alike: "
            f"{_example(told)}. If that beginning is the patient, all are one patient's: set ingest.patient_pattern to "
            r"'^(.*\d)[_\-. ]', and add others.",
        )
        return {key: NamedPatient(key) for key in patients}
    if apart:
        _warn(
            "doubtful_patients",
            f"{len(apart)} studies are counted as patients of their own though their names differ by the last word alone, such as "
            f"{_shape(apart[0])!r} (letters as x, digits as 0). If what stands before it is the patient, set ingest.patient_pattern "
            r"to '^(.*\d[A-Za-z]?)[_\-. ][^\W_]+$': a patient in training and test at once makes scores too good.",
        )
    return told


def _counts_patients(told: Mapping[str, NamedPatient]) -> bool:
    """Tell whether a guess that makes one patient of all is rather a site's, or a data set's: `R01-001`, `01-001`, `LUNG1_anna`."""
    names = {patient.name for patient in told.values()}
    if len(told) < 2 or len(names) > 1 or not all(patient.doubtful for patient in told.values()):
        return False
    (name,) = names
    by_number = all(patient.told_by == SLICE for patient in told.values()) and not re.match(r"^[1-9]\d*$", name)
    return by_number or (len(told) > MAX_ENDINGS and all(patient.told_by == ENDING for patient in told.values()))


def _by_pattern(by_name: Mapping[str, NamedPatient], pattern: str) -> dict[str, NamedPatient]:
    compiled = re.compile(pattern)
    if not compiled.groups:
        raise ConfigError(
            f"Expected a group in ingest.patient_pattern, whose text is the patient, found none in {pattern!r}. Put the "
            "patient's part into parentheses."
        )
    found = {key: match[1] for key in by_name if (match := compiled.search(key)) and match[1]}
    if not found:
        raise ConfigError(
            f"Expected ingest.patient_pattern to fit the names of the cases, found that {pattern!r} fits none of "
            f"{len(by_name)}, such as {_shape(next(iter(by_name)))!r} (letters as x, digits as 0). Mend it, or set `auto`."
        )
    if len(found) < len(by_name):
        _warn(
            "patient_pattern_fits_some",
            f"ingest.patient_pattern fits {len(found)} of {len(by_name)} names; the others' patients are told as by `auto`. One "
            f"of them is like {_shape(next(key for key in by_name if key not in found))!r} (letters as x, digits as 0).",
        )
    return {
        key: NamedPatient(found[key], "ingest.patient_pattern") if key in found else told
        for key, told in by_name.items()
    }


def _say(patients: Mapping[str, NamedPatient]) -> None:
    by_rule: dict[str, list[str]] = defaultdict(list)
    for key, patient in patients.items():
        by_rule[patient.told_by].append(key)
    n_patients = len({patient.name for patient in patients.values()})
    rules = "; ".join(
        f"{len(keys)} by {rule}" + ("" if rule == WHOLE else f" ({_shown(keys[0], patients[keys[0]].name)})")
        for rule, keys in sorted(by_rule.items())
    )
    message = f"{len(patients)} studies -> {n_patients} patients, told by file names: {rules}."
    logger.info("%s If wrongly, set ingest.patient_pattern.", message)
    note("patients_by_name", message)
    if "ingest.patient_pattern" not in by_rule:
        _say_doubts(patients)


def _say_doubts(patients: Mapping[str, NamedPatient]) -> None:
    guessed = {patient.name for patient in patients.values() if patient.doubtful}
    doubtful = {key: patient for key, patient in patients.items() if patient.name in guessed}
    n_joined = len(doubtful) - len(guessed)
    if n_joined:
        _warn(
            "doubtful_patients",
            f"{len(doubtful)} studies are counted as {len(doubtful) - n_joined} patients, on the safe side: "
            f"{_example(doubtful)}. If each is a patient of its own, set ingest.patient_pattern to '^(.+)$'.",
        )
    if apart := _counted_apart(patients):
        _warn(
            "doubtful_patients",
            f"{len(apart)} studies are counted as patients of their own though their names differ by the last number alone, "
            f"such as {_shape(apart[0])!r} (letters as x, digits as 0). If what stands before it is the patient, set "
            r"ingest.patient_pattern to '^(.*\d[A-Za-z]?)[_\-. ]\d+$': a patient in training and test at once makes scores too good.",
        )
    _say_alike(patients)


def _counted_apart(patients: Mapping[str, NamedPatient]) -> list[str]:
    """Return names of several beginnings, with the same numbers behind each: that may count slices of patients."""
    groups: dict[str, set[str]] = defaultdict(set)
    for patient in patients.values():
        if patient.told_by == WHOLE and (match := COUNTED.match(patient.name)):
            groups[match["base"]].add(patient.name)
    several = {base: names for base, names in groups.items() if len(names) > 1}
    ends = [{name.removeprefix(base) for name in names} for base, names in several.items()]
    if len(several) < 2 or not any(one & other for n, one in enumerate(ends) for other in ends[:n]):
        return []
    return sorted(name for names in several.values() for name in names)


def _say_alike(patients: Mapping[str, NamedPatient]) -> None:
    """Say when the same name in several folders counts as several patients."""
    folders: dict[str, set[str]] = defaultdict(set)
    for patient in patients.values():
        folder, _, name = patient.name.rpartition("/")
        folders[name].add(folder)
    alike = [name for name, of in folders.items() if len(of) > 1 and name]
    if alike:
        _warn(
            "doubtful_patients",
            f"{len(alike)} names stand in several folders each, and count as a patient a folder. If they are the same patients, "
            r"set ingest.patient_pattern to '([^/]+)$'.",
        )


def _warn(code: str, message: str) -> None:
    logger.warning("%s", message)
    note(code, message)


def _example(patients: Mapping[str, NamedPatient]) -> str:
    key = next(iter(patients))
    return _shown(key, patients[key].name)


def _shown(key: str, patient: str) -> str:
    """Show how a patient was told, without any name: `00000_100 -> 00000`, only what counts or dates as it stands."""
    at = max(key.find(patient), 0)
    end = at + len(patient)
    marks = re.sub(r"[^\W_]+", lambda word: word[0] if is_mark(word[0]) else _shape(word[0]), key[end:])
    return f"{_shape(key[:end])}{marks} -> {_shape(patient)}"


def _shape(name: str) -> str:
    return re.sub(r"[^\W\d_]", "x", re.sub(r"\d", "0", name))
