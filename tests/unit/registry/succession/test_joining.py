"""Two ledgers that went on apart, from entries written out by hand."""

import pytest

from lesionflow.data.ledger import FIRST, EntryKind, seal
from lesionflow.errors import ArtifactError
from lesionflow.io.stores.ledger import append_entry, read_ledger
from lesionflow.registry.succession.joining import add_behind, entries_to_add, n_common_entries

READ = (EntryKind.TEST_READ, {"run_id": "r"})
BEGUN = (EntryKind.DECISION, {"model_name": "knees", "version": "2", "promote": True})
ENDED = (EntryKind.CHAMPION, {"model_name": "knees", "version": "3", "by": "gate"})


def book(*written, on=()):
    entries = list(on)
    for kind, facts in written:
        previous = entries[-1].sha256 if entries else FIRST
        entries.append(seal(len(entries) + 1, "2026-01-01", kind, facts, previous))
    return tuple(entries)


FIRST_READ = book(READ)


def test_what_both_begin_with_is_counted_to_the_first_difference():
    assert n_common_entries(FIRST_READ, FIRST_READ) == 1
    assert n_common_entries(book(READ, BEGUN), book(READ, ENDED)) == 1
    assert n_common_entries(book(BEGUN), FIRST_READ) == 0


def test_reads_may_stand_behind_a_new_champion():
    here, shared = book(READ, on=FIRST_READ), book(ENDED, on=FIRST_READ)
    assert entries_to_add(here, shared, "knees") == (list(here[1:]), frozenset())


def test_a_change_that_is_begun_behind_another_is_late():
    here, shared = book(BEGUN, on=FIRST_READ), book(ENDED, on=FIRST_READ)
    assert entries_to_add(here, shared, "knees") == (list(here[1:]), {here[1].sha256})


def test_two_champions_can_not_be_joined():
    other = (EntryKind.CHAMPION, {**ENDED[1], "version": "4"})
    with pytest.raises(ArtifactError, match="part after entry 1"):
        entries_to_add(book(other, on=FIRST_READ), book(ENDED, on=FIRST_READ), "knees")


def test_a_late_change_is_added_with_its_undoing(tmp_path):
    ledger = tmp_path / "ledger.jsonl"
    append_entry(ledger, *ENDED)
    own = book(BEGUN)
    add_behind(ledger, own, frozenset({own[0].sha256}))
    _, begun, undone = read_ledger(ledger)
    assert (begun.kind, begun.facts["noted_at"]) == (EntryKind.DECISION, own[0].at)
    assert (undone.kind, undone.facts["of"]) == (EntryKind.UNDONE, begun.sha256)
