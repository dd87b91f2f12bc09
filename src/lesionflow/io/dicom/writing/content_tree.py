"""The content of a structured report (PS3.3 C.17.3) as plain values, read element by element; what wrote it is not asked."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from lesionflow.errors import DicomError
from lesionflow.io.dicom.reading import READ_FAULTS, quiet
from lesionflow.machine.error_words import plain_words
from lesionflow.machine.faults import blame_machine

Code = tuple[str, str, str]
#: Items in one another: ours has five; a report that refers to itself has no end.
DEEPEST = 32
UNKNOWN: Code = ("", "", "")


class Item(NamedTuple):
    """One item of a report.

    Args:
        relationship: To the item that holds it; empty of the outermost.
        kind: Its value type: `NUM`, `TEXT`, `CODE`, `CONTAINER`, ...
        concept: Value, scheme and meaning of its name.
        value: Plain values, by its type: of a number the number and its unit, of an image class, instance, frames and segments, of coordinates
            their form and numbers.
        items: What it holds.
    """

    relationship: str
    kind: str
    concept: Code
    value: Any
    items: "tuple[Item, ...]"

    def walk(self) -> "Iterator[Item]":
        """Yield the item and all that it holds, in order."""
        yield self
        for item in self.items:
            yield from item.walk()

    def find(self, kind: str, code: str = "") -> "tuple[Item, ...]":
        """Return what it holds itself of a type and, where one is given, of a concept's value."""
        return tuple(item for item in self.items if item.kind == kind and code in ("", item.concept[0]))


def read_content_tree(data: Any, *, name: str) -> Item:
    """Read a report's content.

    Args:
        data: The data set.
        name: What to call it in messages.

    Raises:
        DicomError: `unreadable_report`.
    """
    try:
        with quiet():
            return _item(data, DEEPEST)
    except READ_FAULTS as error:
        blame_machine(error)
        message = f"Expected a readable structured report in {name}, found {plain_words(error)}."
        raise DicomError(message, reason="unreadable_report") from error


def hash_content(data: Any) -> str:
    """Hash what a report says, whatever its bytes are.

    Raises:
        DicomError: `unreadable_report`.
    """
    return hashlib.sha256(json.dumps(read_content_tree(data, name="the report")).encode()).hexdigest()


def _item(data: Any, deepest: int) -> Item:
    if not deepest:
        raise ValueError("items in one another without end")
    kind = str(data.get("ValueType") or "")
    items = tuple(_item(item, deepest - 1) for item in data.get("ContentSequence") or ())
    relationship = str(data.get("RelationshipType") or "")
    return Item(relationship, kind, _code(data.get("ConceptNameCodeSequence")), _value(data, kind), items)


def _value(data: Any, kind: str) -> Any:
    if kind == "NUM":
        measured = data.MeasuredValueSequence[0]
        return float(measured.NumericValue), _code(measured.MeasurementUnitsCodeSequence)
    if kind == "CODE":
        return _code(data.ConceptCodeSequence)
    if kind in ("IMAGE", "COMPOSITE", "WAVEFORM"):
        referred = data.ReferencedSOPSequence[0]
        of = [_whole(referred.get(word)) for word in ("ReferencedFrameNumber", "ReferencedSegmentNumber")]
        return str(referred.ReferencedSOPClassUID), str(referred.ReferencedSOPInstanceUID), *of
    if kind in ("SCOORD", "SCOORD3D"):
        # As FL holds them (PS3.5 6.2), which they are not yet before they are written.
        return str(data.GraphicType), [float(np.float32(number)) for number in data.GraphicData]
    words = {"TEXT": "TextValue", "UIDREF": "UID", "PNAME": "PersonName", "DATE": "Date", "TIME": "Time"}
    return str(data.get(words.get(kind, "ContinuityOfContent")) or "").rstrip(" \0")


def _whole(value: Any) -> list[int]:
    if value is None:
        return []
    return [int(value)] if isinstance(value, (int, str)) else [int(number) for number in value]


def _code(sequence: Any) -> Code:
    if not sequence:
        return UNKNOWN
    item = sequence[0]
    return tuple(str(item.get(word) or "") for word in ("CodeValue", "CodingSchemeDesignator", "CodeMeaning"))  # type: ignore[return-value]
