"""What ingest has seen comes back; harm to one file of a case names that file alone."""

import hashlib

import pytest

from lesionflow.io.stores.case_index import INDEX, Entry, harmed_files, read_case_index, write_case_index


def entry(**files) -> Entry:
    return Entry("k", {"case_id": "c-1", "tumor_ml": 1.5}, files, {}, (("dropped_structure", "A sentence."),))


def test_an_index_comes_back_sorted_whatever_the_order(tmp_path) -> None:
    entries = {"c-2": entry(), "c-1": Entry("", {}, {}, {"reason": "empty_folder"})}
    write_case_index(tmp_path, entries)
    first = (tmp_path / INDEX).read_bytes()
    assert read_case_index(tmp_path) == entries
    write_case_index(tmp_path, dict(reversed(entries.items())))
    assert (tmp_path / INDEX).read_bytes() == first


@pytest.mark.parametrize("content", [None, "", "[]", '{"c-1": {"key": "k"}}', '{"c-1": []}', '{"c-1": null}', "{"])
def test_a_broken_index_is_empty_so_that_all_is_read_again(tmp_path, content) -> None:
    if content is not None:
        (tmp_path / INDEX).write_text(content)
    assert read_case_index(tmp_path) == {}


def test_missing_and_changed_files_are_named_and_whole_ones_are_not(tmp_path) -> None:
    (tmp_path / "whole").write_bytes(b"abc")
    (tmp_path / "changed").write_bytes(b"abd")
    digest = hashlib.sha256(b"abc").hexdigest()
    assert harmed_files(tmp_path, entry(whole=digest, changed=digest, gone=digest)) == ("changed", "gone")
    assert harmed_files(tmp_path, entry(whole=digest)) == ()
