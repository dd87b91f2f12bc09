"""What a worker does with received parts: which formats it makes, what it counts, what of the server it does not tell."""

import errno
import types
from pathlib import Path

import pytest

from lesionflow.errors import InputError, MachineError
from lesionflow.jobs.job import JobState
from lesionflow.serving.prometheus_metrics import ServiceMetrics
from lesionflow.serving.result_store import ResultStore
from lesionflow.serving.segmentation import segment_parts, work_on
from lesionflow.serving.settings import ServiceSettings
from lesionflow.serving.uploads.multipart import Part

RESULT = "e" * 32
REPORT = {"targets": [{"name": "tumor", "volume_ml": 0.0}]}


class Engine:
    """Stands in for the model: writes down what it is asked for, answers with one report or fails."""

    def __init__(self, error=None, channels=("C0", "C1")):
        self.asked, self.error, self.channels = [], error, channels

    @property
    def model(self):
        plan = types.SimpleNamespace(dataset=types.SimpleNamespace(channels=self.channels))
        return types.SimpleNamespace(bundle=types.SimpleNamespace(plan=plan))

    def segment(self, source, folder, formats):
        self.asked.append((source, tuple(formats)))
        if self.error is not None:
            raise self.error
        return REPORT


@pytest.fixture
def state(tmp_path):
    results = ResultStore(tmp_path / "results", max_results=3, max_age_s=60)
    return types.SimpleNamespace(
        metrics=ServiceMetrics(), results=results, service=ServiceSettings(model="m"), engine=Engine()
    )


def parts(folder, name):
    """Two files as they are received: both of one study's DICOM, or one a channel."""
    made = []
    for number in range(2):
        path = folder / f"part-{number}"
        path.write_bytes(b"1234567")
        made.append(Part(name=name.format(number=number), path=path))
    return made


def figures(state):
    lines = [line for line in state.metrics.render().decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


@pytest.mark.parametrize(
    ("part", "asked_for", "made"),
    [
        ("study", "json", ("dicom-seg", "nifti", "png")),
        ("C{number}", "json", ("nifti", "png")),
        ("study", "nifti", ("nifti",)),
        ("C{number}", "dicom-seg", ("dicom-seg",)),
    ],
)
def test_a_report_comes_with_each_format_that_the_study_can_have(state, tmp_path, part, asked_for, made):
    report = segment_parts(state, parts(tmp_path, part), tmp_path, RESULT, asked_for)
    ((source, formats),) = state.engine.asked
    # More formats may be there than when this was written.
    assert [name for name in formats if name in ("dicom-seg", "nifti", "png")] == list(made)
    assert isinstance(source, Path) == (part == "study")
    assert report["id"] == RESULT
    base = f"/v1/results/{RESULT}"
    assert report["links"]["report"] == f"{base}/report"
    assert report["links"]["masks"] == {name: f"{base}/mask?format={name}" for name in formats}
    assert state.results.report(report["id"]) == report == {**report, **REPORT}


def test_a_study_is_counted_once_by_what_became_of_it(state, tmp_path):
    segment_parts(state, parts(tmp_path, "study"), tmp_path, RESULT, "nifti")
    found = figures(state)
    assert found['lesionflow_studies_total{outcome="segmented"}'] == 1
    assert (found["lesionflow_empty_masks_total"], found["lesionflow_study_seconds_count"]) == (1, 1)
    assert found["lesionflow_received_bytes_total"] == 14


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (InputError("Expected one, found two.", reason="mixed_series"), "mixed_series"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk_full"),
        (KeyError("x"), "internal_error"),
    ],
)
def test_a_failure_is_counted_by_its_code_and_leaves_no_result(state, tmp_path, error, outcome):
    state.engine = Engine(error)
    with pytest.raises((type(error), MachineError)):
        segment_parts(state, parts(tmp_path, "study"), tmp_path, RESULT, "nifti")
    found = figures(state)
    assert found[f'lesionflow_studies_total{{outcome="{outcome}"}}'] == 1
    assert found["lesionflow_study_seconds_count"] == 0
    assert list((tmp_path / "results").iterdir()) == []


def test_where_the_upload_lay_is_not_told(state, tmp_path):
    state.engine = Engine(InputError(f"Expected DICOM in {tmp_path}/study, found none.", reason="empty_study"))
    with pytest.raises(InputError, match=r"Expected DICOM in \(upload\)/study, found none") as error:
        segment_parts(state, parts(tmp_path, "study"), tmp_path, RESULT, "nifti")
    assert error.value.reason == "empty_study"


@pytest.fixture
def accepted(state, tmp_path):
    """A job whose study lies where accepted ones do."""
    study = tmp_path / "accepted"
    study.mkdir()
    received = parts(study, "study")
    state.scratch = tmp_path / "scratch"
    state.scratch.mkdir()
    state.intake = types.SimpleNamespace(parts=lambda _, folder: [Part(p.name, link(p.path, folder)) for p in received])
    order = {"format": "nifti"}
    return types.SimpleNamespace(id=RESULT, order=order, study=study)


def link(path, folder):
    (folder / path.name).hardlink_to(path)
    return folder / path.name


def test_a_job_done_twice_gives_the_same_and_leaves_its_study_as_it_was(state, accepted):
    """A service that was killed in the midst does the job anew: it must find what was sent, as it was sent."""
    for _ in range(2):
        assert work_on(state, accepted) == (JobState.DONE, {})
        assert {path.name: path.read_bytes() for path in accepted.study.iterdir()} == {
            "part-0": b"1234567", "part-1": b"1234567"
        }  # fmt: skip
        assert state.results.report(RESULT)["id"] == RESULT
        assert list(state.scratch.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (InputError("Expected one, found two.", reason="mixed_series"), 422, "mixed_series"),
        (OSError(errno.ENOSPC, "No space left on device"), 507, "disk_full"),
        (KeyError("x"), 500, "internal_error"),
    ],
)
def test_a_job_that_fails_says_why_as_a_client_is_told(state, accepted, error, status, code):
    state.engine = Engine(error)
    ended, values = work_on(state, accepted)
    assert (ended, values["error"]["status"], values["error"]["code"]) == (JobState.FAILED, status, code)
    assert ("found two" in values["error"]["detail"]) == (status == 422)
