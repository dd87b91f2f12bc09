"""Tombstones name nobody, and a journal is there until all is done."""

import hashlib
import hmac

from lesionflow.io.stores.tombstones import read_journal, read_tombstones, set_tombstone, tombstone, write_journal


def test_a_tombstone_is_a_keyed_hash():
    by_hand = hmac.new(b"key", b"withdrawn\0p-1", hashlib.sha256).hexdigest()
    assert tombstone("key", "p-1") == by_hand
    assert len({tombstone("key", "p-1"), tombstone("other", "p-1"), tombstone("key", "p-2")}) == 3


def test_those_of_all_folders_count_and_can_be_taken_away(tmp_path):
    assert read_tombstones(tmp_path / "a", tmp_path / "b") == frozenset()
    set_tombstone(tmp_path / "a", "1", withdrawn=True)
    set_tombstone(tmp_path / "b", "2", withdrawn=True)
    set_tombstone(tmp_path / "b", "2", withdrawn=True)
    assert read_tombstones(tmp_path / "a", tmp_path / "b") == {"1", "2"}
    set_tombstone(tmp_path / "b", "2", withdrawn=False)
    assert read_tombstones(tmp_path / "a", tmp_path / "b") == {"1"}


def test_a_journal_is_for_its_owner_alone_and_gone_when_nothing_is_pending(tmp_path):
    assert read_journal(tmp_path) == []
    write_journal(tmp_path, [{"workspace": "w"}])
    (path,) = tmp_path.iterdir()
    assert path.stat().st_mode & 0o077 == 0
    assert read_journal(tmp_path) == [{"workspace": "w"}]
    write_journal(tmp_path, [])
    assert list(tmp_path.iterdir()) == []
