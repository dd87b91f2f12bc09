"""The child's side: it answers orders one after another, stops between parts of a study, and tells failures as values."""

import json
import threading
import types
from multiprocessing import Pipe

import pytest

from lesionflow import inference
from lesionflow.errors import DicomError
from lesionflow.inference import golden
from lesionflow.prediction import served_model
from lesionflow.serving.children import child as child_module
from lesionflow.serving.children.child import Child
from lesionflow.serving.generations import study_work

ORDER = {"do": "segment", "parts": [], "into": "/x", "format": "nifti", "max_unpacked_mb": 1, "max_files": 2}


@pytest.fixture
def ask(monkeypatch):
    """A child in a thread of this process, whose work a test gives."""
    ours, theirs = Pipe()
    work = []

    def do(*arguments, **named):
        return work[0](*arguments, **named)

    ended = threading.Event()
    monkeypatch.setattr(study_work, "segment_parts", do)
    # It would end this process.
    monkeypatch.setattr(child_module, "end_group", ended.set)
    child = Child(theirs)
    threading.Thread(target=child.serve, daemon=True).start()

    def asked(does, *, number=1, stop=None):
        work[:] = [does]
        ours.send_bytes(json.dumps({"number": number, **ORDER}).encode())
        if stop is not None:
            ours.send_bytes(json.dumps({"do": "stop", "number": stop}).encode())
        assert ours.poll(30)
        return json.loads(ours.recv_bytes())

    yield asked
    ours.close()
    assert ended.wait(20), "it does not end with whoever asks"


def until_stopped(*_, progress):
    for _ in range(100_000):
        progress(1, 2)
        threading.Event().wait(0.001)
    return "was not stopped"


def test_it_answers_what_it_did(ask):
    asked = {}

    def work(model, segmenter, parts, into, name, limits, *, progress):
        asked.update(into=str(into), name=name, limits=(limits.max_unpacked_mb, limits.max_files))
        progress(1, 1)
        return {"targets": []}

    assert ask(work) == {"done": {"targets": []}}
    assert asked == {"into": "/x", "name": "nifti", "limits": (1, 2)}


def test_a_study_is_stopped_between_two_parts_and_the_next_one_is_done(ask):
    assert ask(until_stopped, number=1, stop=1)["failed"]["kind"] == "StoppedError"
    assert ask(lambda *_, progress: progress(1, 2) or "done", number=2) == {"done": "done"}


def test_a_word_to_stop_that_came_too_late_stops_no_other_study(ask):
    assert ask(lambda *_, progress: "first", number=1) == {"done": "first"}

    def late(*_, progress):
        for _ in range(20):
            progress(1, 2)
            threading.Event().wait(0.01)
        return "second"

    assert ask(late, number=2, stop=1) == {"done": "second"}


def test_a_failure_is_told_and_the_child_goes_on(ask):
    def fails(*_, progress):
        raise DicomError("Expected five, found four.", reason="missing_slice")

    assert ask(fails)["failed"] == {
        "kind": "DicomError", "message": "Expected five, found four.", "reason": "missing_slice"
    }  # fmt: skip
    assert "ZeroDivisionError" in ask(lambda *_, progress: 1 / 0)["failed"]["message"]
    assert ask(lambda *_, progress: "next") == {"done": "next"}


@pytest.mark.parametrize(("set_mb", "left_mb", "expected"), [(700, 900, 700), (None, 900, 900), (None, None, None)])
def test_without_a_limit_of_its_own_it_keeps_to_what_its_container_leaves_it(monkeypatch, set_mb, left_mb, expected):
    """When it loads, not when the service began: the service and other models have taken their part by then."""
    taken = []
    model = types.SimpleNamespace(name="m", version="1", bundle=None)
    monkeypatch.setattr(child_module, "memory_budget_mb", lambda: left_mb)
    monkeypatch.setattr(served_model, "load_kept", lambda *_: model)
    monkeypatch.setattr(inference, "Segmenter", lambda _, *, device, memory_mb: taken.append((device, memory_mb)))
    monkeypatch.setattr(golden, "require_golden", lambda *_: types.SimpleNamespace(n_cases=2))
    order = {"folder": "/x", "name": "m", "version": "1", "bundle_digest": "", "device": "cpu", "memory_mb": set_mb}
    assert Child(None)._load(order) == {"n_golden": 2}
    assert taken == [("cpu", expected)]
