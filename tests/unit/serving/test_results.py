"""Results: whole or absent, bounded in number and age, found by their id alone."""

import os
import time

import pytest

from lesionflow.serving.problems import RequestRefusedError
from lesionflow.serving.results import ResultStore


def fill(result_id, folder):
    (folder / "mask.dcm").write_bytes(b"mask of " + result_id.encode())
    return {"id": result_id}


def code(call):
    with pytest.raises(RequestRefusedError) as error:
        call()
    assert error.value.http_status == 404
    return error.value.code


def test_what_was_put_can_be_got(tmp_path):
    store = ResultStore(tmp_path / "results", max_results=3, max_age_s=60)
    report = store.put(fill)
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
        ids.append(store.put(fill)["id"])
        made = time.time() - age
        os.utime(tmp_path / ids[-1], (made, made))
    store.put(fill)
    assert {path.name for path in tmp_path.iterdir()} >= {ids[2]}
    assert [code(lambda i=i: store.report(i)) for i in ids[:2]] == ["unknown_result"] * 2


def test_a_result_is_gone_when_it_is_too_old(tmp_path):
    store = ResultStore(tmp_path, max_results=2, max_age_s=60)
    report = store.put(fill)
    os.utime(tmp_path / report["id"], (time.time() - 61,) * 2)
    assert code(lambda: store.report(report["id"])) == "unknown_result"
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_nothing(tmp_path):
    store = ResultStore(tmp_path, max_results=2, max_age_s=60)

    def fail(result_id, folder):
        fill(result_id, folder)
        raise ValueError(result_id)

    with pytest.raises(ValueError):
        store.put(fail)
    assert list(tmp_path.iterdir()) == []


def test_a_killed_process_leftover_is_removed_at_start(tmp_path):
    (tmp_path / ".partial-1-x").mkdir()
    ResultStore(tmp_path, max_results=2, max_age_s=60)
    assert list(tmp_path.iterdir()) == []
