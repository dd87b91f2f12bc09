"""What a DICOMDIR says is on its medium: so that a copy from which slices were lost is not taken for whole.

References:
    DICOM PS3.3 annex F (Basic Directory Information Object).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

#: Records lie in one another: patient, study, series, image; some media have one more.
MAX_DEPTH = 8


def listed_instances(directory: Any) -> Mapping[str, frozenset[str]]:
    """Return the SOP Instance UIDs that a DICOMDIR lists, by Series Instance UID.

    Args:
        directory: The data set, read from a file: records are found by where they lie in it.

    Returns:
        What it lists; nothing of records that no offset leads to.

    Raises:
        AttributeError: When it is no DICOMDIR; and all of `reading.READ_FAULTS`.
    """
    records = {int(record.seq_item_tell): record for record in directory.DirectoryRecordSequence}
    found: dict[str, set[str]] = defaultdict(set)
    first = int(directory.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity)
    for series, record in _walk(records, first, "", set(), 0):
        instance = str(record.get("ReferencedSOPInstanceUIDInFile") or "")
        if series and instance:
            found[series].add(instance)
    return {series: frozenset(instances) for series, instances in found.items()}


def _walk(
    records: Mapping[int, Any], offset: int, series: str, seen: set[int], depth: int
) -> Iterator[tuple[str, Any]]:
    """Yield each record below an offset once, with the series that it lies in."""
    while offset in records and offset not in seen and depth < MAX_DEPTH:
        seen.add(offset)
        record = records[offset]
        own = str(record.get("SeriesInstanceUID") or series)
        yield own, record
        yield from _walk(
            records, int(record.get("OffsetOfReferencedLowerLevelDirectoryEntity") or 0), own, seen, depth + 1
        )
        offset = int(record.get("OffsetOfTheNextDirectoryRecord") or 0)
