"""Another program that answers, fails, ends or says nothing: each is told by its name."""

import os
import sys

import pytest

from lesionflow.errors import MachineError, ServiceError
from lesionflow.inference.foreign.conversation import Conversation

ECHO = """
import json, os, sys
print(json.dumps({"ready": sorted(os.environ)}), flush=True)
for line in sys.stdin:
    said = json.loads(line)
    if said == {"end": 1}:
        sys.stderr.write("no memory\\n")
        sys.exit(9)
    print("words" if said == {"babble": 1} else json.dumps({"error": "bad luck"} if said == {"fail": 1} else said), flush=True)
"""


@pytest.fixture
def start(tmp_path):
    started = []

    def make(text=ECHO, timeout_s=30.0, program=sys.executable):
        (tmp_path / "p.py").write_text(text)
        started.append(Conversation([program, str(tmp_path / "p.py")], tmp_path, name="Echo", timeout_s=timeout_s))
        return started[-1]

    yield make
    for one in started:
        one.close()


def test_it_is_asked_again_and_again_and_knows_no_password(start, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    monkeypatch.setenv("PYTHONPATH", "/ours")
    talk = start()
    assert not {"MLFLOW_TRACKING_PASSWORD", "PYTHONPATH"} & set(talk.hello["ready"])
    assert [talk.ask({"n": n}, about="c-1") for n in (1, 2)] == [{"n": 1}, {"n": 2}]


def test_a_failure_is_told_and_it_goes_on(start):
    talk = start()
    with pytest.raises(ServiceError, match=r"Expected Echo to answer \(c-1\), found that it failed: bad luck"):
        talk.ask({"fail": 1}, about="c-1")
    assert talk.ask({"n": 1}, about="c-1") == {"n": 1}


def test_an_end_is_told_with_its_last_words(start):
    talk = start()
    with pytest.raises(ServiceError, match=r"ended with code .*it said last: no memory"):
        talk.ask({"end": 1}, about="c-1")
    assert not talk.is_alive
    with pytest.raises(ServiceError, match="ended"):
        talk.ask({"n": 1}, about="c-1")


def test_silence_ends_it(start):
    with pytest.raises(MachineError, match=r"within 0\.5 s, found none") as caught:
        start("import time\ntime.sleep(60)\n", timeout_s=0.5)
    assert caught.value.code == "timed_out"


def test_what_is_no_json_and_what_can_not_be_started_are_told(start, tmp_path):
    with pytest.raises(ServiceError, match="Expected a line of JSON"):
        start().ask({"babble": 1}, about="c-1")
    with pytest.raises(ServiceError, match="LESIONFLOW_NNUNET_PYTHON"):
        start(program=str(tmp_path / "absent"))


def test_it_ends_with_who_asked(start, tmp_path):
    (tmp_path / "p.py").write_text(ECHO)
    talk = Conversation([sys.executable, str(tmp_path / "p.py")], tmp_path, name="Echo", timeout_s=30.0)
    number = talk._process.pid
    del talk
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)
