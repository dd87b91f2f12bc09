"""Small files that claim much cost little: each is refused by name within 2 s of work and 256 MB, as `ingest` and as `predict` read.

A tenth of them; with `LESIONFLOW_TEST_WHOLE=1`, all two hundred.
"""

import contextlib
import gc
import json
import os
import resource
import time
import traceback
from pathlib import Path

import pytest

from faults.forged import FORGED, HARMLESS
from lesionflow.data.dataset import Dataset
from lesionflow.errors import InputError
from lesionflow.io.inputs import read_input
from lesionflow.io.layouts.recognition import READERS, recognize
from lesionflow.io.rules import ReadingRules, SeriesRule
from lesionflow.machine.study_budget import study_budget

MAX_S, MAX_BYTES = 2.0, 256 << 20
#: What a test that fails may take of the machine.
CEILING_BYTES = 3 << 30
WHOLE = os.environ.get("LESIONFLOW_TEST_WHOLE") == "1"
#: One of each ten, and every kind.
CHOSEN = list(FORGED) if WHOLE else list(FORGED)[::10]
RULES = {
    True: ReadingRules({"gray": SeriesRule("")}, "gray", {"tumor": 1}, (("GTV", "tumor"),)),
    False: ReadingRules({"CT": SeriesRule("CT")}, "CT", {"tumor": 1}, (("GTV", "tumor"),)),
}


def ingest(folder: Path, *, picture: bool) -> None:
    """Read as the step does."""
    layout, root, _ = recognize(folder)
    for source in READERS[layout].find(root):
        if source.fault:
            raise InputError(source.fault[1], reason=source.fault[0])
        with study_budget():
            READERS[layout].read(source, RULES[picture], name="c-1")


def predict(folder: Path, *, picture: bool) -> None:
    """Read as `predict` and the service do, for a model of 1 mm."""
    dataset = Dataset(
        name="d", channels={"gray": "picture"} if picture else {"CT": "ct"}, labels={"tumor": 1}, regions={}
    )
    files = [path for path in folder.rglob("*") if path.is_file()]
    with study_budget((1.0, 1.0, 1.0)):
        read_input(files[0] if len(files) == 1 and files[0].suffix != ".dcm" else folder, dataset)


def measured(call) -> dict:
    """Call in a process of its own; return the outcome, its seconds of work and the bytes by which its peak rose."""
    reading, writing = os.pipe()
    gc.collect()
    if (child := os.fork()) == 0:
        outcome, seconds, grown = "", 0.0, 0
        try:
            Path("/proc/self/clear_refs").write_text("5")
            before = status("VmRSS")
            resource.setrlimit(resource.RLIMIT_AS, (status("VmSize") + CEILING_BYTES, resource.RLIM_INFINITY))
            began = time.process_time()
            try:
                call()
                outcome = "read"
            except InputError as error:
                outcome = error.reason
            except BaseException:  # noqa: BLE001 told to the parent, which expects a reason
                outcome = traceback.format_exc()[-3000:]
            seconds, grown = time.process_time() - began, status("VmHWM") - before
        finally:
            os.write(writing, json.dumps([outcome, seconds, grown]).encode())
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as said:
        outcome, seconds, grown = json.loads(said.read())
    os.waitpid(child, 0)
    return {"outcome": outcome, "seconds": seconds, "bytes": grown}


def status(key: str) -> int:
    text = Path("/proc/self/status").read_text()
    return int(text.split(f"{key}:")[1].split()[0]) * 1024


def test_there_are_two_hundred():
    assert len(FORGED) >= 200


@pytest.fixture(scope="module", autouse=True)
def _loaded(tmp_path_factory):
    """Load what readers load, so that the children's growth is the study's."""
    for name in ("dicom of 6 frames", "nifti of (5, 7, 11) in meters", "png of 60000 x 60000, 8 bits, colors 0"):
        folder = tmp_path_factory.mktemp("loaded")
        FORGED[name](folder)
        for read in (ingest, predict):
            with contextlib.suppress(InputError):
                read(folder, picture="png" in name)


@pytest.mark.parametrize("name", CHOSEN)
def test_it_is_refused_at_once(name, tmp_path):
    FORGED[name](tmp_path)
    picture = name.startswith(("png", "tiff"))
    outlines = name.startswith(("seg", "rtstruct", "json"))
    for read in (ingest,) if outlines else (ingest, predict):
        found = measured(lambda read=read: read(tmp_path, picture=picture))
        assert "Traceback" not in found["outcome"], found["outcome"]
        assert found["seconds"] < MAX_S, found
        assert found["bytes"] < MAX_BYTES, found
        assert found["outcome"] != "read" or name.startswith(HARMLESS), found
