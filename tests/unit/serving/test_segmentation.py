"""What a worker does with a job: where the result lies, what is counted, what of the server is not told."""

import errno
import threading
import time
import types

import pytest

from lesionflow.errors import InputError
from lesionflow.jobs.job import JobState
from lesionflow.serving.children.failures import DeadlineError, StoppedError
from lesionflow.serving.problems import RequestRefusedError
from lesionflow.serving.prometheus_metrics import ServiceMetrics
from lesionflow.serving.results.result_store import ResultStore
from lesionflow.serving.segmentation import work_on
from lesionflow.serving.settings import ServiceSettings
from lesionflow.serving.uploads.multipart import Part

RESULT = "e" * 32
REPORT = {"targets": [{"name": "tumor", "volume_ml": 0.0}]}


class Engine:
    """Stands in for the model: writes down what it is asked for, answers with one report or fails."""

    def __init__(self, error=None):
        self.asked, self.error = [], error

    def do(self, asked, work):
        assert asked is None
        return work(self)

    def segment(self, parts, into, name, terms):
        self.asked.append(({part.name: part.path.read_bytes() for part in parts}, name))
        if self.error is not None:
            raise self.error
        return {"formats": ["nifti", "png"], **REPORT}


@pytest.fixture
def state(tmp_path):
    results = ResultStore(tmp_path / "results", max_results=3, max_age_s=60)
    return types.SimpleNamespace(
        metrics=ServiceMetrics(), results=results, service=ServiceSettings(model="m"), roster=Engine()
    )


@pytest.fixture
def accepted(state, tmp_path):
    """A job whose study lies where accepted ones do."""
    study = tmp_path / "accepted"
    study.mkdir()
    for number in range(2):
        (study / f"part-{number}").write_bytes(b"1234567")
    state.scratch = tmp_path / "scratch"
    state.scratch.mkdir()
    state.intake = types.SimpleNamespace(
        parts=lambda _, folder: [Part("study", link(path, folder)) for path in sorted(study.iterdir())]
    )
    return types.SimpleNamespace(id=RESULT, order={"format": "nifti"}, study=study)


def link(path, folder):
    (folder / path.name).hardlink_to(path)
    return folder / path.name


def figures(state):
    lines = [line for line in state.metrics.render().decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_a_result_has_its_jobs_id_and_links_what_was_written(state, accepted):
    assert work_on(state, accepted, threading.Event()) == (JobState.DONE, {})
    assert state.roster.asked == [({"study": b"1234567"}, "nifti")]
    base = f"/v1/results/{RESULT}"
    masks = {name: f"{base}/mask?format={name}" for name in ("nifti", "png")}
    assert state.results.report(RESULT) == {
        "id": RESULT,
        "links": {"report": f"{base}/report", "masks": masks},
        **REPORT,
    }


def test_a_study_is_counted_once_by_what_became_of_it(state, accepted):
    work_on(state, accepted, threading.Event())
    found = figures(state)
    assert found['lesionflow_studies_total{outcome="segmented"}'] == 1
    assert (found["lesionflow_empty_masks_total"], found["lesionflow_study_seconds_count"]) == (1, 1)
    assert found["lesionflow_received_bytes_total"] == 14


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (InputError("Expected one, found two.", reason="mixed_series"), "mixed_series"),
        (RequestRefusedError("Expected less.", status=413, code="too_many_files"), "too_many_files"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk_full"),
        (KeyError("x"), "internal_error"),
    ],
)
def test_a_failure_is_counted_by_its_code_and_leaves_no_result(state, accepted, tmp_path, error, outcome):
    state.roster = Engine(error)
    assert work_on(state, accepted, threading.Event()).state is JobState.FAILED
    found = figures(state)
    assert found[f'lesionflow_studies_total{{outcome="{outcome}"}}'] == 1
    assert found["lesionflow_study_seconds_count"] == 0
    assert list((tmp_path / "results").iterdir()) == []


def test_where_the_upload_lay_is_not_told(state, accepted, tmp_path):
    class Finds(Engine):
        def segment(self, parts, into, name, terms):
            raise InputError(f"Expected DICOM in {parts[0].path.parent}/study, found none.", reason="empty_study")

    state.roster = Finds()
    _, values = work_on(state, accepted, threading.Event())
    assert values["error"]["detail"] == "Expected DICOM in (upload)/study, found none."
    assert values["error"]["code"] == "empty_study"


def test_a_study_that_two_models_are_given_is_received_and_counted_once_and_whole_for_each(state, accepted):
    """As while a new one is on trial: the second finds what was sent, though the first renamed it."""
    first, second = Engine(), Engine()

    def rename_and_fail(parts, into, name, terms):
        Engine.segment(first, parts, into, name, terms)
        parts[0].path.rename(parts[0].path.with_suffix(".dcm"))
        raise KeyError("x")

    def both(_, work):
        with pytest.raises(KeyError):
            work(types.SimpleNamespace(segment=rename_and_fail))
        return work(second)

    state.roster = types.SimpleNamespace(do=both)
    assert work_on(state, accepted, threading.Event()) == (JobState.DONE, {})
    assert first.asked == second.asked
    found = figures(state)
    assert found["lesionflow_received_bytes_total"] == 14
    assert {name: value for name, value in found.items() if "studies_total" in name} == {
        'lesionflow_studies_total{outcome="segmented"}': 1
    }


def test_a_job_that_nobody_wants_any_more_is_cancelled_and_leaves_nothing(state, accepted, tmp_path):
    state.roster = Engine(StoppedError("stopped"))
    assert work_on(state, accepted, threading.Event()) == (JobState.CANCELLED, {})
    assert figures(state)['lesionflow_studies_total{outcome="cancelled"}'] == 1
    assert list((tmp_path / "results").iterdir()) == list(state.scratch.iterdir()) == []


def test_what_a_study_may_take_counts_from_the_begin_of_its_work(state, accepted):
    class Waits(Engine):
        def segment(self, parts, into, name, terms):
            assert terms.halt is halt
            self.left = terms.until - time.monotonic()
            raise terms.reason_to_end() or DeadlineError(terms.seconds)

    halt = threading.Event()
    state.roster, state.service = Waits(), ServiceSettings(model="m", deadline_s=7)
    ended, values = work_on(state, accepted, halt)
    assert (ended, values["error"]["status"], values["error"]["code"]) == (JobState.FAILED, 504, "deadline_exceeded")
    assert "within 7 s" in values["error"]["detail"]
    assert 0 < state.roster.left <= 7


def test_a_job_done_twice_gives_the_same_and_leaves_its_study_as_it_was(state, accepted):
    """A service that was killed in the midst does the job anew: it must find what was sent, as it was sent."""
    for _ in range(2):
        assert work_on(state, accepted, threading.Event()) == (JobState.DONE, {})
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
    state.roster = Engine(error)
    ended, values = work_on(state, accepted, threading.Event())
    assert (ended, values["error"]["status"], values["error"]["code"]) == (JobState.FAILED, status, code)
    assert ("found two" in values["error"]["detail"]) == (status == 422)
