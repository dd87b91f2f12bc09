"""Whether all parts of a multi-frame object are there that was divided into several instances.

References:
    DICOM PS3.3 C.7.6.16.2.2.4 (Concatenations): parts are numbered from 1; how many there are need not be told.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

from lesionflow.errors import DicomError
from lesionflow.io.notes import note


class ConcatenationPart(NamedTuple):
    """One instance of a concatenation.

    Args:
        concatenation: Its UID; empty for an object that was not divided.
        number: Which part it is, from 1.
        total: How many parts there are; 0 where that is not told.
    """

    concatenation: str
    number: int
    total: int

    @classmethod
    def of(cls, data: Any) -> "ConcatenationPart":
        """Read what a data set says of itself."""
        number, total = (int(data.get(word) or 0) for word in ("InConcatenationNumber", "InConcatenationTotalNumber"))
        # A part that has no number is none: the number is required of each.
        return cls(str(data.get("ConcatenationUID") or "") if number or total else "", number, total)


def require_all_parts(parts: Iterable[ConcatenationPart], *, name: str) -> None:
    """Refuse a concatenation that lacks a part: what is there would be taken for the whole.

    Args:
        parts: Of all instances that are read together.
        name: What to call the study in messages.

    Raises:
        DicomError: `incomplete_concatenation`.
    """
    by_uid: dict[str, list[ConcatenationPart]] = defaultdict(list)
    for part in parts:
        if part.concatenation:
            by_uid[part.concatenation].append(part)
    for own in by_uid.values():
        total = max(part.total for part in own)
        numbers = {part.number for part in own}
        if numbers != set(range(1, (total or max(numbers)) + 1)):
            raise DicomError(
                f"Expected all parts of what was divided into several instances in {name}, found {len(numbers)} of {total or max(numbers)}. "
                "Export the study again.",
                reason="incomplete_concatenation",
            )
        if not total:
            note(
                "concatenation_without_total",
                f"Expected to be told of how many parts an object of {name} consists, found {len(numbers)} and no number: they were taken for all.",
            )
