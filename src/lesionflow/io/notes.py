"""What a reader says of a study that it read all the same: a structure dropped, a gap filled, a frame registered.

Readers call `note` wherever they are; who reads a study opens `collected` and passes on what was said: `ingest` to its
index and report, `predict` and the service to the warnings of their answer. What was taken as what, names of files and
series among it, goes another way, `took`: it may name somebody, so it never leaves the team.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple


class Note(NamedTuple):
    """What was said.

    Args:
        code: Stable snake_case, such as `dropped_structure`.
        message: What was found and what was made of it; it names a case id, never a patient.
    """

    code: str
    message: str


_taken: ContextVar[dict[str, list[str]] | None] = ContextVar("lesionflow_taken", default=None)
_collector: ContextVar[list[Note] | None] = ContextVar("lesionflow_notes", default=None)


def note(code: str, message: str) -> None:
    """Say something of the study that is being read; the same is said once. Nobody hears it outside `collected`."""
    notes = _collector.get()
    if notes is not None and Note(code, message) not in notes:
        notes.append(Note(code, message))


@contextmanager
def collected() -> Iterator[list[Note]]:
    """Give the list that fills with what readers say, in this thread, as long as the context is open."""
    notes: list[Note] = []
    token = _collector.set(notes)
    try:
        yield notes
    finally:
        _collector.reset(token)


def took(what: str, found: str) -> None:
    """Say which file, series or structure was taken as a channel or label; nobody hears it outside `listening`."""
    taken = _taken.get()
    if taken is not None and found not in taken.setdefault(what, []):
        taken[what].append(found)


@contextmanager
def listening() -> Iterator[dict[str, list[str]]]:
    """Give what fills with what is taken, by channel or label, in this thread, as long as the context is open."""
    taken: dict[str, list[str]] = {}
    token = _taken.set(taken)
    try:
        yield taken
    finally:
        _taken.reset(token)
