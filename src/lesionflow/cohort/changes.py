"""What changed between two case tables, in words."""

from collections import Counter
from collections.abc import Collection, Sequence

import pandas as pd

from lesionflow.data.dataset import Dataset

#: Cases named in a sentence; the others are counted.
MAX_NAMED = 8
#: Smaller changes of a volume are not worth a word.
LEAST_ML = 0.005
#: What a change of a test case means.
LOCKED = (
    "; it is a locked test patient's: the test set has another digest then, champion and challenger are both scored anew, and figures of before can't be "
    "compared with"
)


def describe_changes(
    before: pd.DataFrame, now: pd.DataFrame, dataset: Dataset, tested: Collection[str] = ()
) -> tuple[str, ...]:
    """Say what changed: cases, patients, outlines, labels, scanners.

    Args:
        before: Case table of the recorded version.
        now: Case table of the data as they are.
        dataset: Declares the labels' names.
        tested: The locked test cases, where there is a split.

    Returns:
        Sentences; none when nothing changed.
    """
    old, new = (table.set_index("case_id") for table in (before, now))
    added, gone = (sorted(set(one.index) - set(other.index)) for one, other in ((new, old), (old, new)))
    both = sorted(set(old.index) & set(new.index))
    known = set(old["patient_id"])
    said = []
    if added:
        said.append(_added(new.loc[added], known))
    if gone:
        left = set(old.loc[gone, "patient_id"]) - set(new["patient_id"])
        said.append(
            f"{_count(len(gone), 'case')} gone{_of(len(left), 'patient', ' who have none left')}: {_some(gone)}"
        )
    said += _changed_cases(old, new, both, tested)
    said += _shifts("labels", _labels(before, dataset), _labels(now, dataset))
    said += _shifts("scanners", _scanners(before), _scanners(now))
    return tuple(said)


def _added(rows: pd.DataFrame, known: set[str]) -> str:
    fresh = set(rows["patient_id"]) - known
    again = set(rows["patient_id"]) & known
    words = f"{_count(len(rows), 'case')} added"
    words += _of(len(fresh), "new patient", "")
    words += f"{',' if fresh else ''} of {_count(len(again), 'patient')} known already" if again else ""
    return f"{words}: {_some(rows.index)}"


def _changed_cases(old: pd.DataFrame, new: pd.DataFrame, both: Sequence[str], tested: Collection[str]) -> list[str]:
    said = []
    for case_id in both:
        was, is_now = old.loc[case_id], new.loc[case_id]
        parts = []
        if was["image_sha256"] != is_now["image_sha256"]:
            parts.append("another image")
        if was["mask_sha256"] != is_now["mask_sha256"]:
            parts.append(_outline(float(was["tumor_ml"]), float(is_now["tumor_ml"])))
        if was["patient_id"] != is_now["patient_id"]:
            parts.append("another patient")
        if parts:
            said.append(f"case {case_id} changed: {', '.join(parts)}{LOCKED if case_id in tested else ''}")
    return said


def _outline(was_ml: float, now_ml: float) -> str:
    if abs(was_ml - now_ml) < LEAST_ML:
        return f"another outline of {now_ml:.2f} ml as before"
    return f"outline of {was_ml:.2f} ml now {now_ml:.2f} ml"


def _labels(table: pd.DataFrame, dataset: Dataset) -> Counter[str]:
    names = {str(value): name for name, value in dataset.labels.items()}
    present = [value for cell in table["labels_present"] for value in str(cell).split(",") if value]
    return Counter(names.get(value, f"label {value}") for value in present)


def _scanners(table: pd.DataFrame) -> Counter[str]:
    return Counter(str(name) or "maker unknown" for name in table["manufacturer"])


def _shifts(what: str, before: Counter[str], now: Counter[str]) -> list[str]:
    parts = []
    for name in sorted({*before, *now}):
        if before[name] != now[name]:
            word = " (new)" if not before[name] else " (gone)" if not now[name] else ""
            parts.append(f"{name}{word} in {before[name]} cases, now {now[name]}")
    return [f"{what}: {'; '.join(parts)}"] if parts else []


def _of(number: int, what: str, more: str) -> str:
    return f", of {_count(number, what)}{more}" if number else ""


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _some(case_ids: Sequence[str]) -> str:
    listed = list(case_ids)
    more = f" and {len(listed) - MAX_NAMED} more" if len(listed) > MAX_NAMED else ""
    return ", ".join(listed[:MAX_NAMED]) + more
