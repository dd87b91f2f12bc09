"""A process that helps another: told by its standard input, heard once. Real ones are started in `test_group`."""

import io
import json
import logging
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pytest

from lesionflow.steps.train.processes import worker
from lesionflow.training import ProcessGroup
from support.training_workspace import make_inputs, train_params

REPO = Path(__file__).resolve().parents[5]
#: A source that can't be reached: a worker need not, as it is given the leader's weights.
NOWHERE = {
    "source": "models:/nowhere@champion",
    "sha256": "",
    "frozen_epochs": 0,
    "encoder_learning_rate_fraction": 1.0,
}


class Stream(NamedTuple):
    """A stream of which only its number is asked for."""

    number: int

    def fileno(self):
        return self.number


@pytest.fixture
def told(tmp_path):
    """What the leader tells it."""
    inputs = {name: str(path) for name, path in make_inputs(tmp_path).items()}
    return {"config": train_params(REPO, transfer=NOWHERE, devices=2), "inputs": inputs, "device": "cpu", "workers": 3}


@pytest.fixture
def events(told, monkeypatch):
    """What it does, in order, without another process."""
    events = []

    @contextmanager
    def join(device):
        events.append(("join", device))
        yield ProcessGroup(rank=1, size=2)
        events.append(("leave",))

    streams = {"stdin": io.StringIO(json.dumps(told)), "stdout": Stream(101), "stderr": Stream(102)}
    monkeypatch.setattr(worker, "sys", SimpleNamespace(**streams))
    monkeypatch.setattr(
        worker, "os", SimpleNamespace(write=lambda *what: events.append(("write", *what)),
                                      dup2=lambda *what: events.append(("dup2", *what))))  # fmt: skip
    monkeypatch.setattr(worker, "end_with_parent", lambda: events.append(("watch",)))
    monkeypatch.setattr(worker, "join_process_group", join)
    monkeypatch.setattr(worker, "run_worker", lambda *what: events.append(("run", *what)))
    logger = logging.getLogger("lesionflow")
    level = logger.level
    yield events
    logger.setLevel(level)


def test_it_says_that_it_is_ready_before_it_meets_the_others_and_nothing_after(events):
    worker.main()
    assert [event[0] for event in events] == ["watch", "write", "dup2", "join", "run", "leave"]
    assert events[1:4] == [("write", 101, b"ready\n"), ("dup2", 102, 101), ("join", "cpu")]
    assert not logging.getLogger("lesionflow").isEnabledFor(logging.WARNING)


def test_it_trains_on_the_inputs_it_is_told_and_fetches_no_weights(events):
    worker.main()
    _, inputs, compute = events[4]
    (task,) = inputs.tasks
    assert (task.train, task.validation, task.source) == (("c-0", "c-1"), ("c-2", "c-3"), None)
    assert inputs.config.transfer.source == "none"
    assert (inputs.config.devices, inputs.config.max_epochs) == (2, 3)
    assert (compute.device, compute.workers, compute.processes.rank) == ("cpu", 3, 1)


def test_it_is_never_ready_when_its_inputs_are_broken(events, told):
    Path(told["inputs"]["plan"]).write_text("{}")
    with pytest.raises(Exception, match="Run plan again"):
        worker.main()
    assert events == [("watch",)]
