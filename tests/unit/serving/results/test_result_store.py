"""Results: whole or absent, bounded in number and age, found by their id alone."""

import os
import time
import uuid

import pytest

from lesionflow.serving.problems import RequestRefusedError
from lesionflow.serving.results.result_store import ResultStore


def put(store, made=lambda report: report):
    result_id = uuid.uuid4().hex

    def fill(folder):
        (folder / "mask.dcm").write_bytes(b"mask of " + result_id.encode())
        return made({"id": result_id})

    return store.put(result_id, fill)


def code(call):
    with pytest.raises(RequestRefusedError) as error:
        call()
    assert error.value.http_status == 404
    return error.value.code


def test_what_was_put_can_be_got(tmp_path):
    store = ResultStore(tmp_path / "results", max_results=3, max_age_s=60)
    report = put(store)
    assert store.report(report["id"]) == report
    assert store.file(report["id"], "mask.dcm").read_bytes() == b"mask of " + report["id"].encode()
    assert code(lambda: store.file(report["id"], "overlay.png")) == "unknown_result"


@pytest.mark.parametrize("result_id", ["", ".", "..", "0" * 31, "0" * 32, "../results/" + "0" * 32, "Z" * 32])
def test_no_other_id_finds_anything(tmp_path, result_id):
    store = ResultStore(tmp_path / "results", max_results=3, max_age_s=60)
    (tmp_path / "report.json").write_text("{}")
    assert code(lambda: store.report(result_id)) == "unknown_result"


def test_the_oldest_goes_when_there_are_too_many(tmp_path):
    store = ResultStore(tmp_path, max_results=2, max_age_s=60)
    ids = []
    for age in (30, 20, 10):
        ids.append(put(store)["id"])
        made = time.time() - age
        os.utime(tmp_path / ids[-1], (made, made))
    put(store)
    assert {path.name for path in tmp_path.iterdir()} >= {ids[2]}
    assert [code(lambda i=i: store.report(i)) for i in ids[:2]] == ["unknown_result"] * 2


def test_a_result_is_gone_when_it_is_too_old(tmp_path):
    store = ResultStore(tmp_path, max_results=2, max_age_s=60)
    report = put(store)
    os.utime(tmp_path / report["id"], (time.time() - 61,) * 2)
    assert code(lambda: store.report(report["id"])) == "unknown_result"
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_nothing(tmp_path):
    store = ResultStore(tmp_path, max_results=2, max_age_s=60)

    def fail(report):
        raise ValueError(report)

    with pytest.raises(ValueError):
        put(store, fail)
    assert list(tmp_path.iterdir()) == []


def test_what_a_kill_left_is_removed_at_start_and_what_another_service_writes_is_not(tmp_path):
    """Two services on one folder removed one another's half-written results."""
    old, new = tmp_path / ".partial-1-x", tmp_path / ".partial-2-y"
    for folder in (old, new):
        folder.mkdir()
    os.utime(old, (time.time() - 3700,) * 2)
    ResultStore(tmp_path, max_results=2, max_age_s=60)
    assert list(tmp_path.iterdir()) == [new]


def test_a_result_made_again_replaces_the_first(tmp_path):
    """A job whose service was killed behind its result is done anew."""
    store = ResultStore(tmp_path, max_results=2, max_age_s=60)
    for text in ("first", "second"):
        store.put("a" * 32, lambda folder, text=text: (folder / text).touch() or {"id": text})
    assert store.report("a" * 32) == {"id": "second"}
    assert {path.name for path in (tmp_path / ("a" * 32)).iterdir()} == {"second", "report.json"}


def test_a_dropped_result_is_gone_and_no_other_name_drops_anything(tmp_path):
    store = ResultStore(tmp_path / "results", max_results=2, max_age_s=60)
    report = put(store)
    for name in (report["id"], "../results", "."):
        store.drop(name)
    assert list((tmp_path / "results").iterdir()) == []
