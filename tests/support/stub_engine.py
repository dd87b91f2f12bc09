"""An engine that segments nothing: it waits where a test wants it to, and answers with one small report."""

import copy
import threading
import time
import types

from lesionflow.prediction.writers import WRITERS
from lesionflow.serving.generations.lineup import other_version
from lesionflow.serving.openapi.examples import FULL_REPORT


class StubEngine:
    """Stands in for `serving.engine.Engine` where a test is about what lies around it.

    Attributes:
        gate: Studies are held while it is clear.
        begun: Set once a study is in work.
        error: Raised instead of an answer.
        seen: Bytes of every study that was worked on, in order.
    """

    def __init__(self, name="stub"):
        self.gate, self.begun, self.error, self.seen, self.ready = threading.Event(), threading.Event(), None, [], True
        self.gate.set()
        plan = types.SimpleNamespace(dataset=types.SimpleNamespace(channels=("CT",)))
        self.model = types.SimpleNamespace(
            bundle=types.SimpleNamespace(plan=plan, digest="d"), name=name, version="1", describe=self._told
        )

    alias = None

    def start(self):
        """Nothing is loaded."""

    def stop(self):
        """Nothing is loaded."""

    def health(self):
        return {"model": (self.ready, "stub")}

    def describe(self):
        return self.model.describe()

    def do(self, work):
        return work(self)

    def do_by(self, version, work):
        if version != self.model.version:
            raise other_version(version, self.model.version)
        return work(self)

    def _told(self):
        return {
            "model_name": self.model.name,
            "model_version": self.model.version,
            "channels": {"CT": "ct"},
            "targets": ["tumor"],
        }

    def close(self):
        """Nothing runs."""

    def segment(self, parts, into, name, terms):
        (part,) = parts
        self.seen.append(part.path.read_bytes())
        self.begun.set()
        end = time.monotonic() + 30
        while not self.gate.wait(0.01):
            if (reason := terms.reason_to_end()) is not None:
                raise reason
            assert time.monotonic() < end
        if self.error is not None:
            raise self.error
        formats = [name] if name in WRITERS else [name for name, writer in WRITERS.items() if not writer.needs_dicom]
        for one in formats:
            (into / WRITERS[one].file_name).write_bytes(b"mask of " + self.seen[-1])
        report = copy.deepcopy(FULL_REPORT)
        report["passport"] |= {"model_name": self.model.name, "model_version": self.model.version}
        report["targets"][0]["volume_ml"] = 1.0
        told = {key: value for key, value in report.items() if key not in ("id", "links")}
        return {"formats": formats, **told}
