"""What a worker does with received parts: which formats it makes, what it counts, what of the server it does not tell."""

import types
from pathlib import Path

import pytest

from lesionflow.errors import InputError
from lesionflow.serving.metrics import ServiceMetrics
from lesionflow.serving.results import ResultStore
from lesionflow.serving.segmentation import segment_parts
from lesionflow.serving.settings import ServiceSettings
from lesionflow.serving.uploads.multipart import Part

REPORT = {"targets": [{"name": "tumor", "volume_ml": 0.0}]}


class Engine:
    """Stands in for the model: writes down what it is asked for, answers with one report or fails."""

    def __init__(self, error=None):
        self.asked, self.error = [], error

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
    report = segment_parts(state, parts(tmp_path, part), tmp_path, ("C0", "C1"), asked_for)
    ((source, formats),) = state.engine.asked
    # More formats may be there than when this was written.
    assert [name for name in formats if name in ("dicom-seg", "nifti", "png")] == list(made)
    assert isinstance(source, Path) == (part == "study")
    base = f"/v1/results/{report['id']}"
    assert report["links"]["report"] == f"{base}/report"
    assert report["links"]["masks"] == {name: f"{base}/mask?format={name}" for name in formats}
    assert state.results.report(report["id"]) == report == {**report, **REPORT}


def test_a_study_is_counted_once_by_what_became_of_it(state, tmp_path):
    segment_parts(state, parts(tmp_path, "study"), tmp_path, ("CT",), "nifti")
    found = figures(state)
    assert found['lesionflow_studies_total{outcome="segmented"}'] == 1
    assert (found["lesionflow_empty_masks_total"], found["lesionflow_study_seconds_count"]) == (1, 1)
    assert found["lesionflow_received_bytes_total"] == 14


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (InputError("Expected one, found two.", reason="mixed_series"), "mixed_series"),
        (KeyError("x"), "internal_error"),
    ],
)
def test_a_failure_is_counted_by_its_code_and_leaves_no_result(state, tmp_path, error, outcome):
    state.engine = Engine(error)
    with pytest.raises(type(error)):
        segment_parts(state, parts(tmp_path, "study"), tmp_path, ("CT",), "nifti")
    found = figures(state)
    assert found[f'lesionflow_studies_total{{outcome="{outcome}"}}'] == 1
    assert found["lesionflow_study_seconds_count"] == 0
    assert list((tmp_path / "results").iterdir()) == []


def test_where_the_upload_lay_is_not_told(state, tmp_path):
    state.engine = Engine(InputError(f"Expected DICOM in {tmp_path}/study, found none.", reason="empty_study"))
    with pytest.raises(InputError, match=r"Expected DICOM in \(upload\)/study, found none") as error:
        segment_parts(state, parts(tmp_path, "study"), tmp_path, ("CT",), "nifti")
    assert error.value.reason == "empty_study"
