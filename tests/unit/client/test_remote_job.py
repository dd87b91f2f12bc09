"""What the service says, as values."""

import pytest

from lesionflow.client.remote_job import FetchedMask, event_of_stream, job_of


@pytest.mark.parametrize(("state", "ended"), [("queued", False), ("running", False), ("done", True), ("failed", True), ("cancelled", True)])  # fmt: skip
def test_a_job_knows_whether_it_ended(state, ended):
    job = job_of({"id": "a", "state": state, "created": "2026-03-02", "links": {}, "started": "later"})
    assert (job.id, job.ended, job.n_before, job.error) == ("a", ended, None, None)


def test_an_end_has_the_jobs_state():
    end = event_of_stream("1-done", "end", {"id": "a", "state": "done"})
    assert (end.stage, end.is_end, end.fraction, end.seconds_left) == ("done", True, None, None)
    stage = event_of_stream("0", "stage", {"stage": "queued", "n_before": 2, "fraction": None, "seconds_left": 8.5})
    assert (stage.stage, stage.n_before, stage.seconds_left, stage.is_end) == ("queued", 2, 8.5, False)


def test_a_mask_is_written_whole(tmp_path):
    path = tmp_path / "mask.dcm"
    path.write_bytes(b"older and longer")
    FetchedMask(b"new", "application/dicom", "mask.dcm", "m/1", ()).save(path)
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]
